// Lines written to a file.
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

const BLOCK = 1 << 20;

/** Writes lines, each with its line ending, to a file; the bytes written. */
export async function writeLines(path: string, lines: Iterable<Buffer | string>): Promise<number> {
  const file = createWriteStream(path);
  let block: Buffer[] = [];
  let size = 0;
  let total = 0;
  for (const line of lines) {
    const bytes = typeof line === 'string' ? Buffer.from(line) : line;
    block.push(bytes);
    size += bytes.length;
    total += bytes.length;
    if (size < BLOCK) continue;
    if (!file.write(Buffer.concat(block))) await once(file, 'drain');
    block = [];
    size = 0;
  }
  file.end(Buffer.concat(block));
  await finished(file);
  return total;
}
