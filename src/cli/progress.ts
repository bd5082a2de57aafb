// The progress bar, on standard error and only where that is a terminal. It counts what passes by and changes nothing.
import cliProgress, { type Options, type Params, type SingleBar } from 'cli-progress';
import { progressText, type Sent } from './print.ts';
import type { Source } from './source.ts';

const LF = 0x0a;

export interface Progress {
  /** The source's bytes; taking them moves the bar. */
  bytes: AsyncIterable<Buffer>;
  /** Takes the bar off the screen. */
  stop(): void;
}

/** @param rejected lines rejected in the files before: those of this one are known when its answer arrives */
export function startProgress(name: string, source: Source, rejected: number): Progress {
  if (!process.stderr.isTTY) return { bytes: source.bytes, stop: () => {} };
  const sent: Sent = { name, bytes: 0, lines: source.gzip ? undefined : 0, seconds: 0, over: false, rejected };
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    format: (options, params, state: Sent) =>
      progressText(state, source.size ? barOf(options, params) : '', params.maxWidth),
    barsize: 20,
    clearOnComplete: true,
    // Whatever dies of Ctrl-C leaves the terminal as it was, and tells the server that the upload is not whole.
    gracefulExit: false,
    hideCursor: false,
    linewrap: true,
  });
  bar.start(source.size ?? 0, 0, sent);
  return { bytes: counted(source.bytes, sent, bar), stop: () => bar.stop() };
}

async function* counted(bytes: AsyncIterable<Buffer>, sent: Sent, bar: SingleBar): AsyncGenerator<Buffer> {
  const start = performance.now();
  for await (const chunk of bytes) {
    yield chunk;
    sent.bytes += chunk.length;
    // Inside gzip no line can be seen.
    if (sent.lines !== undefined) sent.lines += newlines(chunk);
    sent.seconds = (performance.now() - start) / 1000;
    bar.update(sent.bytes, sent);
  }
  sent.over = true;
  bar.update(sent.bytes, sent);
}

function barOf(options: Options, { progress }: Params): string {
  return `${cliProgress.Format.BarFormat(progress, options)} ${Math.floor(progress * 100)}%`;
}

function newlines(chunk: Buffer): number {
  let count = 0;
  for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) count++;
  return count;
}
