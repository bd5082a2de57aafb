// Real input: GitHub's own webhook schemas (large, deeply nested, full of $ref and oneOf) and its real payloads.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import addFormats from 'ajv-formats';
import t from 'tap';
import { assembleEvent } from '../src/lines/assemble.ts';
import { loadFolder } from '../src/schema/folder.ts';
import { addsUp, ndjson, post } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';

const require = createRequire(import.meta.url);
const schema = require('@octokit/webhooks-schemas');
const examples: { name: string; examples: Record<string, unknown>[] }[] = require('@octokit/webhooks-examples');

const subjects = Object.keys(schema.definitions)
  .filter((name) => name.endsWith('_event'))
  .map((name) => ({ subject: name.slice(0, -'_event'.length), ref: `#/definitions/${name}` }));

/** GitHub's one schema file, and a subject for each of its events. */
async function webhookFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-webhooks-'));
  await mkdir(join(folder, '_github'));
  await writeFile(join(folder, '_github', 'schema.json'), JSON.stringify(schema));
  for (const { subject, ref } of subjects) {
    await mkdir(join(folder, subject));
    const document = { $schema: schema.$schema, $ref: `../_github/schema.json${ref}` };
    await writeFile(join(folder, subject, '1.0.0.json'), JSON.stringify(document));
  }
  return folder;
}

/** Equal, where the same instant may be written in two ways. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === 'string' && typeof b === 'string') {
    return a === b || (/^\d{4}-\d\d-\d\dT/.test(a) && Date.parse(a) === Date.parse(b));
  }
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return a === b;
  const keys = Object.keys(a);
  return (
    Array.isArray(a) === Array.isArray(b) &&
    keys.length === Object.keys(b).length &&
    keys.every((key) => key in b && isSame(a[key as keyof typeof a], b[key as keyof typeof b]))
  );
}

t.test('every payload gets the verdict of plain ajv, and can be read back from its row without loss', async (t) => {
  const folder = await webhookFolder();
  t.teardown(() => rm(folder, { recursive: true }));
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, schemaDir: folder });

  const ajv = new Ajv({ strict: false });
  addFormats.default(ajv);
  ajv.addSchema(schema, 'github');
  const known = new Map(subjects.map(({ subject, ref }) => [subject, ajv.compile({ $ref: `github${ref}` })]));
  const payloads = examples
    .filter(({ name }) => known.has(name))
    .flatMap(({ name, examples }) => examples.map((payload) => ({ name, payload })));
  // Also payloads that are wrong in some way, which the packages do not have.
  const spoiled = payloads.flatMap(({ name, payload }, index) => {
    const { sender: _, ...withoutSender } = payload;
    return [
      { name, payload: withoutSender },
      { name, payload: { ...payload, action: index, surprise: { a: [1, null] } } },
    ];
  });
  const all = [...payloads, ...spoiled].map(({ name, payload }) => ({
    name,
    payload,
    isValid: known.get(name)!(payload),
  }));
  t.ok(payloads.length > 200, `${payloads.length} real payloads`);

  const body = ndjson(...all.map(({ name, payload }) => ({ ...payload, $schema: `${name}/1.0.0` })));
  const { status, json: report } = await post(server, body, { query: { report: 'full' } });
  t.equal(status, 207);
  t.ok(addsUp(report));
  const wrong = all.filter(({ isValid }, index) => (report.verdicts[index].verdict === 'accepted') !== isValid);
  t.strictSame(
    wrong.map(({ name }) => name),
    [],
    'every verdict is that of ajv on the original schema',
  );
  t.equal(report.lines.accepted, all.filter(({ isValid }) => isValid).length);
  t.ok(report.lines.accepted > 150, `${report.lines.accepted} accepted`);
  t.ok(report.rejections.every(({ code }: { code: string }) => code === 'schema_violation'));

  const registry = await loadFolder(folder);
  let read = 0;
  const lost: string[] = [];
  for (const { subject } of subjects) {
    const { plan, shape } = registry.resolve(subject)!;
    t.ok(plan.columns.length <= 250, `${subject} has ${plan.columns.length} columns`);
    for (const { row } of await query(`SELECT to_jsonb(final) AS row FROM events."${plan.table}" AS final`)) {
      read++;
      if (!isSame(assembleEvent(row, plan, shape), all[row._line - 1]!.payload))
        lost.push(`${subject} line ${row._line}`);
    }
  }
  t.equal(read, report.lines.accepted);
  t.strictSame(lost, [], 'columns and _extra put together are the payload');
});
