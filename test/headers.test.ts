// The headers that every answer has, and what no answer says.
import { once } from 'node:events';
import { connect } from 'node:net';
import t from 'tap';
import { get, ndjson, post, userEvent } from './helpers/http.ts';
import { testDatabase } from './helpers/postgres.ts';
import { schemaFolder, suite } from './helpers/schemas.ts';
import { startServer } from './helpers/server.ts';
import { clientOf } from './registry/registry.ts';

const API_POLICY = "default-src 'none'; frame-ancestors 'none'";

t.test('every answer has the headers that keep a browser from making anything of it', async (t) => {
  const server = await startServer(t);
  const { send } = clientOf(server);
  const answers = {
    report: await post(server, ndjson(userEvent())),
    problem: await post(server, '{}', { headers: { 'content-type': 'text/odd' } }),
    'no such address': await get(server, '/<script>alert(1)</script>'),
    'no such method': await send('/healthz'),
    list: await get(server, '/v1/batches'),
    lines: await get(server, `/v1/batches/${(await post(server, ndjson(userEvent()))).json.batch_id}/lines`),
    'an address that cannot be read': await get(server, '/%zz'),
    health: await get(server, '/healthz'),
    description: await get(server, '/openapi.yaml'),
  };
  for (const [name, { headers }] of Object.entries(answers)) {
    t.equal(headers.get('content-security-policy'), API_POLICY, name);
    t.equal(headers.get('x-content-type-options'), 'nosniff', name);
    t.equal(headers.get('referrer-policy'), 'no-referrer', name);
    t.equal(headers.get('cross-origin-resource-policy'), 'same-origin', name);
    t.equal(headers.get('cache-control'), 'no-store', name);
    t.equal(headers.get('strict-transport-security'), null, 'TLS ends before this server');
    t.notMatch(headers.get('content-type'), 'html', name);
    t.equal(headers.get('x-powered-by') ?? headers.get('server'), null, name);
  }
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.end('GET / HTTP/1.1\r\nno header\r\n\r\n');
  const [answer] = await once(socket, 'data');
  t.match(String(answer), /^HTTP\/1\.1 400 /);
  t.match(String(answer), `content-security-policy: ${API_POLICY}\r\n`);
  t.match(String(answer), 'x-content-type-options: nosniff\r\n');
});

t.test('pages take everything from this server, nothing inline and no eval', async (t) => {
  const server = await startServer(t);
  const page = await get(server, '/docs');
  const policy = page.headers.get('content-security-policy')!;
  t.match(policy, "default-src 'self';");
  t.match(policy, "frame-ancestors 'none'");
  t.notMatch(policy, /unsafe|https?:|\*/);
  t.equal(page.headers.get('x-content-type-options'), 'nosniff');
  t.notMatch(page.text, /<style|style=|<script>| on\w+=|javascript:/i, 'it has nothing that the policy would stop');
  t.notMatch((await get(server, '/docs/static/swagger-initializer.js')).text, /\beval\(|new Function/);
});

/** How the tables are broken, and what is asked then. */
const BROKEN: [string, string][] = [
  ['a table that is gone', 'ALTER TABLE events."order" RENAME TO elsewhere'],
  ['a column that is gone', 'ALTER TABLE events."order" DROP COLUMN n'],
  ['a column of another type', 'ALTER TABLE events."order" ALTER COLUMN n TYPE boolean USING false'],
  ['a rule of somebody', 'ALTER TABLE events."order" ADD CONSTRAINT small CHECK (n < 0) NOT VALID'],
  [
    'a trigger that fails',
    `CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM 1 / 0; RETURN NEW; END $$;
     CREATE TRIGGER odd BEFORE INSERT OR DELETE ON events."order" FOR EACH ROW EXECUTE FUNCTION odd()`,
  ],
  [
    'a trigger whose SQL is wrong',
    `CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN EXECUTE 'SELEC secret FROM nowhere'; RETURN NEW; END $$;
     CREATE TRIGGER odd BEFORE INSERT OR DELETE ON events."order" FOR EACH ROW EXECUTE FUNCTION odd()`,
  ],
  [
    'rows that nobody may add',
    'ALTER TABLE events."order" ADD COLUMN mine int NOT NULL DEFAULT 0; ALTER TABLE events."order" ALTER mine DROP DEFAULT',
  ],
  ['no stage', 'DROP TABLE stage."order"'],
  ['no function for stages', 'DROP FUNCTION sluice.create_stage'],
  ['a system table that is gone', 'ALTER TABLE sluice.rejections RENAME TO gone'],
  ['a system table of another shape', 'ALTER TABLE sluice.batches DROP COLUMN report'],
];

/** Where not every row has to be tried to find out which are to blame. */
const IN_NO_TIME = /gone|function|stage|shape/;

/** Statements of ours, where they failed, what was called, and which files were at work. */
const INNER = [
  /\b(SELECT|INSERT INTO|DELETE FROM|UPDATE sluice|COPY|CREATE (UNLOGGED )?TABLE|SAVEPOINT)\b/,
  /at character \d|\bPL\/pgSQL\b|statement at|LINE \d+:/,
  /\n\s+at |node_modules|\.(ts|js):\d|\bdist\//,
  /"(stack|query|position|internalQuery|where|routine)":/,
];

t.test('no answer has a stack trace, SQL or a place in either in it', async (t) => {
  const order = {
    type: 'object',
    required: ['id', 'n'],
    properties: { id: { type: 'string', 'x-id': true }, n: { type: 'integer' } },
  };
  const schemaDir = await schemaFolder(t, {
    'order/1.0.0.json': order,
    'order/expectations.json': suite(['expect_column_max_to_be_between', { column: 'n', max_value: 1_000_000 }]),
  });
  const large = ndjson(...Array.from({ length: 70_000 }, (_, n) => ({ id: `large order number ${n}`.repeat(3), n })));
  for (const [what, sql] of BROKEN) {
    const { url: databaseUrl, query } = await testDatabase(t);
    const server = await startServer(t, { databaseUrl, schemaDir });
    const { send } = clientOf(server);
    const promoted = await post(server, ndjson({ id: 'a', n: 1 }, { id: 'b' }));
    const held = await post(server, ndjson({ id: 'c', n: 2_000_000 }));
    await query(sql);
    const answers = [
      await post(server, ndjson({ id: 'd', n: 1 }, { id: 'e', n: 'x' })),
      ...(IN_NO_TIME.test(what) ? [await post(server, large)] : []),
      await post(server, ndjson({ id: 'f', n: 2_000_000 })),
      await send(`/v1/batches/${held.json.batch_id}/promote`, { reason: 'x' }),
      await send('/v1/rejections/replay', { filter: {} }),
      await send('/v1/schemas/reload'),
      await get(server, `/v1/batches/${promoted.json.batch_id}/reconciliation`),
      await get(server, `/v1/batches/${promoted.json.batch_id}/rejections`),
      await get(server, `/v1/batches/${promoted.json.batch_id}`),
      await get(server, '/v1/batches'),
      await get(server, '/v1/rejections'),
    ];
    t.ok(
      answers.some(({ status }) => status >= 400),
      `${what} is noticed`,
    );
    for (const { text } of answers) for (const inner of INNER) t.notMatch(text, inner, what);
    await server.stop();
  }
});
