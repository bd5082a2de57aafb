// `--report FILE`: the reports as JSON, with all rejections, streamed to disk as they come from the server.
// One FILE argument gives one object, several give an array in their order.
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import type { Report } from '../client/client.ts';
import type { Outcome } from './outcome.ts';

export class ReportFile {
  readonly #stream: WriteStream;
  readonly #array: boolean;
  #written = 0;

  private constructor(stream: WriteStream, array: boolean) {
    this.#stream = stream;
    this.#array = array;
  }

  /** Creates or empties the file, so that one that cannot be written is known before anything is uploaded. */
  static async open(path: string, files: number): Promise<ReportFile> {
    const stream = createWriteStream(path);
    await once(stream, 'open');
    return new ReportFile(stream, files > 1);
  }

  /**
   * Appends one file's fate, with all its rejections.
   * @returns what reading the rejections threw. The file is whole JSON all the same, and says `rejections_truncated`
   * @throws the system's error, where the file cannot be written
   */
  async write(source: string, outcome: Outcome): Promise<unknown> {
    await this.#put(this.#written++ === 0 ? (this.#array ? '[' : '') : ',\n');
    if ('error' in outcome) {
      await this.#put(JSON.stringify({ source, ...outcome }));
      return undefined;
    }
    const { rejections, rejections_truncated, links, ...facts } = outcome.report;
    if (outcome.rejections === undefined) {
      await this.#put(JSON.stringify({ source, ...facts, rejections, rejections_truncated, links }));
      return undefined;
    }
    await this.#put(`${JSON.stringify({ source, ...facts }).slice(0, -1)},"rejections":[`);
    const { count, fault } = await this.#list(outcome.rejections());
    const truncated = fault !== undefined || count < ownRejections(outcome.report);
    await this.#put(`],${JSON.stringify({ rejections_truncated: truncated, links }).slice(1)}`);
    return fault;
  }

  async close(): Promise<void> {
    this.#stream.end(this.#array ? ']\n' : '\n');
    await finished(this.#stream);
  }

  async #list(rejections: AsyncIterable<string>): Promise<{ count: number; fault?: unknown }> {
    let count = 0;
    const each = rejections[Symbol.asyncIterator]();
    for (;;) {
      const next = await each.next().catch((error: unknown) => ({ done: true as const, value: undefined, error }));
      if (next.done) return 'error' in next ? { count, fault: next.error } : { count };
      await this.#put(`${count++ === 0 ? '\n' : ',\n'}${next.value}`);
    }
  }

  async #put(text: string): Promise<void> {
    if (this.#stream.errored) throw this.#stream.errored;
    if (!this.#stream.write(text)) await once(this.#stream, 'drain');
  }
}

/** Lines rejected for what they are: those that only went down with the batch are not stored one by one. */
function ownRejections(report: Report): number {
  const swept = report.causes.filter((each) => each.code === 'batch_aborted');
  return swept.reduce((rest, { count }) => rest - count, report.lines.rejected);
}
