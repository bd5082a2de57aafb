// Events with an id of their own: each is stored once, however often and in whatever order it is sent.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { addsUp, get, lines, ndjson, ndjsonOf, post } from '../helpers/http.ts';
import { testDatabase } from '../helpers/postgres.ts';
import { startServer } from '../helpers/server.ts';

t.test('the same ids at once, in opposite order, in small and in large batches', async (t) => {
  const schemaDir = await mkdtemp(join(tmpdir(), 'sluice-schemas-'));
  t.teardown(() => rm(schemaDir, { recursive: true }));
  await mkdir(join(schemaDir, 'order'));
  const schema = {
    type: 'object',
    additionalProperties: false,
    required: ['id'],
    properties: { id: { type: 'integer', 'x-id': true }, from: { type: 'string' } },
  };
  await writeFile(join(schemaDir, 'order', '1.0.0.json'), JSON.stringify(schema));
  const { url: databaseUrl, query } = await testDatabase(t);
  const server = await startServer(t, { databaseUrl, schemaDir });

  for (const [round, count] of [500, 500, 500, 150_000].entries()) {
    const events = Array.from({ length: count }, (_, index) => ({
      id: round * 1_000_000 + index,
      from: 'x'.repeat(40),
    }));
    const answers = await Promise.all([
      post(server, ndjsonOf(events)),
      post(server, ndjsonOf(events.toReversed())),
      post(server, ndjsonOf(events)),
    ]);
    let accepted = 0;
    for (const { status, json } of answers) {
      t.equal(status, 201);
      t.ok(addsUp(json));
      t.equal(json.lines.accepted + json.lines.duplicate, count);
      accepted += json.lines.accepted;
    }
    t.equal(accepted, count, `each of ${count} ids once`);
  }
  const [{ n }] = (await query('SELECT count(*)::int AS n FROM events."order"')) as [{ n: number }];
  t.equal(n, 151_500);

  const again = await post(server, ndjson({ id: 0 }, { id: -1 }, { id: 1 }, { id: -1 }));
  t.strictSame(
    lines(await get(server, again.json.links.lines)).map(({ verdict }) => verdict),
    ['duplicate', 'accepted', 'duplicate', 'duplicate'],
  );
  t.strictSame(await query('SELECT _line FROM events."order" WHERE id = -1'), [{ _line: 2 }], 'the first line wins');
});
