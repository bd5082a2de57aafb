// The shipped schema and the examples beside it say the same.
import { readFileSync } from 'node:fs';
import t from 'tap';
import { loadFolder } from '../../src/schema/folder.ts';

const FOLDER = new URL('../../schemas/', import.meta.url);
const read = (name: string): string[] =>
  readFileSync(new URL(`user_event/examples/${name}`, FOLDER), 'utf8')
    .trimEnd()
    .split('\n');

interface Expected {
  line: number;
  code: string;
  path: string;
  keyword: string;
}

t.test('user_event fits into five columns without _extra', async (t) => {
  const { only, warnings } = await loadFolder(FOLDER.pathname);
  t.same(warnings, []);
  t.equal(only!.id, 'user_event/1.0.0');
  t.same(
    only!.plan.columns.map(({ name, type, notNull }) => [name, type, notNull]),
    [
      ['event_type', 'bigint', true],
      ['event_time', 'timestamptz', true],
      ['user_email', 'text', true],
      ['phone_number', 'text', true],
      ['processing_date', 'date', true],
    ],
  );
  t.equal(only!.plan.extra, false);
});

t.test('every line of pass.ndjson is valid', async (t) => {
  const schema = (await loadFolder(FOLDER.pathname)).only!;
  for (const line of read('pass.ndjson')) {
    const { $schema: _, ...event } = JSON.parse(line);
    t.same(schema.explain(event), [], line);
    t.ok(schema.accepts(event), line);
  }
});

t.test('every line of fail.ndjson fails for the reason given', async (t) => {
  const schema = (await loadFolder(FOLDER.pathname)).only!;
  const expected = read('fail.expected.ndjson').map((line) => JSON.parse(line) as Expected);
  const lines = read('fail.ndjson');
  t.same(
    expected.map(({ line }) => line),
    lines.map((_, at) => at + 1),
  );
  for (const [at, line] of lines.entries()) {
    const { code, path, keyword } = expected[at]!;
    if (code === 'invalid_json') {
      t.throws(() => JSON.parse(line), line);
      continue;
    }
    const event: unknown = JSON.parse(line);
    if (code === 'schema_violation') t.match(schema.explain(event)[0], { path, keyword }, line);
    // Valid JSON Schema, but Postgres has no such value.
    else if (code === 'unstorable_value') t.ok(schema.accepts(event), line);
    else t.ok(Array.isArray(event) || event === null, line);
  }
});
