// One upload whose lines are of 15 subjects in no order, against one COPY into each of the 15 tables.
import { join } from 'node:path';
import { besideCopy } from '../beside-copy.ts';
import type { Figure } from '../figures.ts';
import { writeLines } from '../generate/file.ts';
import { mixedLines, mixedSchema, mixedSubjects } from '../generate/mixed.ts';
import type { Bench } from '../scenario.ts';
import { schemaFolder, startServer } from '../server.ts';

export async function benchMixed(bench: Bench): Promise<Figure[]> {
  const subjects = mixedSubjects(bench.seed);
  const path = join(bench.directory, 'mixed.ndjson');
  const lines = bench.lines(1_000_000);
  const bytes = await writeLines(path, mixedLines(subjects, lines, bench.seed));
  bench.note(
    `mixed: ${lines} lines of ${(bytes / lines).toFixed(0)} bytes on the average, ${subjects.length} subjects`,
  );
  const schemas = Object.fromEntries(subjects.map((subject) => [subject.name, mixedSchema(subject)]));
  const schemaDir = await schemaFolder(join(bench.directory, 'schemas'), schemas);
  const server = await startServer({ databaseUrl: bench.url, schemaDir, profileDir: bench.profileDir });
  try {
    const names = subjects.map(({ name }) => name);
    return await besideCopy(bench, { id: 'mixed', server, file: { path }, subjects: names });
  } finally {
    await server.stop();
  }
}
