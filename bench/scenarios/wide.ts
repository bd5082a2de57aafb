// Wide, nested events: generate/wide.ts says what they look like.
import { join } from 'node:path';
import { besideCopy } from '../beside-copy.ts';
import type { Figure } from '../figures.ts';
import { writeLines } from '../generate/file.ts';
import { WIDE_SCHEMA, wideLines } from '../generate/wide.ts';
import type { Bench } from '../scenario.ts';
import { schemaFolder, startServer } from '../server.ts';

export async function benchWide(bench: Bench): Promise<Figure[]> {
  const lines = bench.lines(250_000);
  const path = join(bench.directory, 'wide.ndjson');
  const bytes = await writeLines(path, wideLines(lines, bench.seed));
  bench.note(`wide: ${lines} lines of ${(bytes / lines).toFixed(0)} bytes on the average`);
  const schemaDir = await schemaFolder(join(bench.directory, 'schemas'), { wide_event: WIDE_SCHEMA });
  const server = await startServer({ databaseUrl: bench.url, schemaDir, profileDir: bench.profileDir });
  try {
    return await besideCopy(bench, { id: 'wide', server, file: { path }, subjects: ['wide_event'] });
  } finally {
    await server.stop();
  }
}
