// openapi.yaml says what the server does: the same routes, the same codes, examples that are true, a current client.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import pino from 'pino';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { buildServer } from '../src/app.ts';
import type { components } from '../src/client/api.d.ts';
import { sluiceClient } from '../src/client/client.ts';
import { readConfig } from '../src/config.ts';
import { openDatabase } from '../src/db.ts';
import { PROBLEMS, type ProblemCode } from '../src/errors.ts';
import { Link } from '../src/link.ts';
import type { BatchStatus, CheckResult, ColumnType, RejectionCode, Report, Verdict } from '../src/model.ts';
import { Presence } from '../src/presence.ts';
import { Schemas } from '../src/registry/schemas.ts';
import type { Bump, Mode } from '../src/schema/compare/difference.ts';
import type { WeighedDifference } from '../src/schema/evolution.ts';
import { loadFolder } from '../src/schema/folder.ts';
import { Sweeper } from '../src/sweep.ts';
import { testDatabase } from './helpers/postgres.ts';
import { startServer } from './helpers/server.ts';
import { hold } from './load/held.ts';

// biome-ignore lint/suspicious/noExplicitAny: the description is walked as the tree of plain values that it is
type Tree = any;

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const doc: Tree = parse(readFileSync(`${ROOT}openapi.yaml`, 'utf8'));

const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
(addFormats as unknown as typeof addFormats.default)(ajv);
// The document is no schema itself, but schemas in it point to each other through its root.
ajv.addVocabulary(Object.keys(doc));
ajv.addSchema(doc, 'openapi.yaml');

/** A place in the description, with references followed on the way. */
interface Place {
  pointer: string;
  value: Tree;
}

function place(pointer: string): Place {
  let at: Place = { pointer: '', value: doc };
  for (const token of pointer.split('/').slice(1)) {
    const value = at.value?.[token.replaceAll('~1', '/').replaceAll('~0', '~')];
    at = value?.$ref === undefined ? { pointer: `${at.pointer}/${token}`, value } : place(value.$ref.slice(1));
  }
  return at;
}

function under({ pointer }: Place, ...keys: string[]): Place {
  return place([pointer, ...keys.map((key) => key.replaceAll('~', '~0').replaceAll('/', '~1'))].join('/'));
}

function children(parent: Place, key: string): [string, Place][] {
  return Object.keys(parent.value?.[key] ?? {}).map((each) => [each, under(parent, key, each)]);
}

const validators = new Map<string, ValidateFunction>();

function faultsOf(schema: Place, value: unknown): unknown[] {
  let validate = validators.get(schema.pointer);
  if (validate === undefined) {
    // A fragment is percent-encoded (RFC 3986): some paths hold braces.
    validate = ajv.compile({ $ref: `openapi.yaml#${encodeURI(schema.pointer)}` });
    validators.set(schema.pointer, validate);
  }
  return validate(value) ? [] : [...(validate.errors ?? [])];
}

/** What is wrong with a body or example of a media type; NDJSON is looked at line by line. */
function bodyFaults(media: Place, type: string, value: unknown): unknown[] {
  const faults = faultsOf(under(media, 'schema'), value);
  if (!/ndjson|jsonl/.test(type) || typeof value !== 'string') return faults;
  const line = under(media, 'schema', 'contentSchema', 'items');
  return [...faults, ...linesOf(value).flatMap((each) => faultsOf(line, each))];
}

function linesOf(ndjson: string): unknown[] {
  return ndjson
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
}

interface Operation {
  method: string;
  path: string;
  at: Place;
  parameters: Place[];
}

const operations: Operation[] = Object.entries<Tree>(doc.paths).flatMap(([path, item]) =>
  Object.keys(item).map((method) => {
    const at = under(place('/paths'), path, method);
    return { method, path, at, parameters: children(at, 'parameters').map(([, each]) => each) };
  }),
);
const postEvents = operations.find(({ at }) => at.value.operationId === 'postEvents')!;

t.test('the description lists exactly the problem codes of the server, with their statuses', async (t) => {
  t.same([...doc.components.schemas.ProblemCode.enum].sort(), Object.keys(PROBLEMS).sort());
  const documented = new Set<string>();
  for (const { at, path } of operations) {
    for (const [status, response] of children(at, 'responses')) {
      const refined = response.value.content?.['application/problem+json']?.schema.allOf[1].properties;
      if (refined === undefined) continue;
      t.equal(refined.status.const, Number(status), `${path} ${status}`);
      for (const code of refined.code.enum ?? [refined.code.const]) {
        documented.add(code);
        t.equal(PROBLEMS[code as ProblemCode]?.[0], Number(status), `${path} ${status} ${code}`);
      }
    }
  }
  const anywhere = ['not_found', 'method_not_allowed'];
  t.same([...documented, ...anywhere].sort(), Object.keys(PROBLEMS).sort(), 'each code is said to come from somewhere');
});

type Documented = components['schemas'];
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;

// The compiler is who checks this: a value that only one side knows does not pass `npm run types`.
const SAME_WORDS: [
  Same<Documented['ProblemCode'], ProblemCode>,
  Same<Documented['RejectionCode'], RejectionCode>,
  Same<Documented['Verdict'], Verdict>,
  Same<Documented['BatchStatus'], BatchStatus>,
  Same<Documented['Report']['status'], Report['status']>,
  Same<Documented['CheckResult']['status'], CheckResult['status']>,
  Same<Documented['Column']['type'], ColumnType>,
  Same<keyof Documented['Report'], keyof Report | 'verdicts'>,
  Same<Documented['Mode'], Mode>,
  Same<Documented['Bump'], Bump>,
  Same<keyof Documented['Difference'], keyof WeighedDifference>,
] = [true, true, true, true, true, true, true, true, true, true, true];

t.test('the description has the words of the model', async (t) => {
  t.ok(SAME_WORDS.every(Boolean));
});

t.test('the description has the version of the package', async (t) => {
  t.equal(doc.info.version, JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')).version);
});

t.test('the generated client is the one that the description gives now', async (t) => {
  const generator = fileURLToPath(import.meta.resolve('openapi-typescript/package.json')).replace(
    'package.json',
    'bin/cli.js',
  );
  const { stdout } = await promisify(execFile)(process.execPath, [generator, `${ROOT}openapi.yaml`], {
    maxBuffer: 1e8,
  });
  t.equal(stdout.trim(), readFileSync(`${ROOT}src/client/api.d.ts`, 'utf8').trim(), 'npm run generate');
});

t.test('every example fits its schema', async (t) => {
  let seen = 0;
  const check = (what: string, faults: unknown[]) => {
    seen++;
    t.same(faults, [], what);
  };
  for (const { at, path, parameters } of operations) {
    for (const parameter of parameters) {
      for (const [name, example] of children(parameter, 'examples')) {
        check(`${path} ${parameter.value.name} ${name}`, faultsOf(under(parameter, 'schema'), example.value.value));
      }
    }
    const bodies = 'requestBody' in at.value ? [under(at, 'requestBody')] : [];
    for (const body of [...bodies, ...children(at, 'responses').map(([, each]) => each)]) {
      for (const [type, media] of children(body, 'content')) {
        for (const [name, example] of children(media, 'examples')) {
          // Requests show bad lines too; what comes back never is one.
          const { value } = example.value;
          const isRequest = bodies.includes(body);
          const faults = isRequest ? faultsOf(under(media, 'schema'), value) : bodyFaults(media, type, value);
          check(`${body.pointer} ${type} ${name}`, faults);
        }
      }
    }
  }
  t.ok(seen > 30, `${seen} examples`);
});

t.test('a problem example has the words of its code', async (t) => {
  const problems = Object.values<Tree>(doc.components.examples).filter((each) => each.value.code !== undefined);
  t.ok(problems.length > 0);
  for (const { value } of problems) {
    t.same([value.status, value.title], PROBLEMS[value.code as ProblemCode]);
    t.equal(value.type, `urn:sluice:problem:${value.code}`);
  }
});

t.test('the routes of the server and the routes of the description are the same', async (t) => {
  const log = pino({ level: 'silent' });
  const url = 'postgres://127.0.0.1:1/nothing';
  const db = openDatabase({ url, poolSize: 2 });
  const schemas = new Schemas(db, `${ROOT}schemas`, await loadFolder(`${ROOT}schemas`));
  const presence = new Presence(url, log, new Link());
  const sweeper = new Sweeper(db, presence, log);
  const access = { ring: undefined, isLocal: true };
  const server = await buildServer({ config: readConfig({}), db, schemas, presence, sweeper, access }, log);
  t.teardown(async () => {
    await server.close();
    await db.destroy();
  });
  await server.ready();
  const registered = routesOf(server.printRoutes({ commonPrefix: false }));
  // The page's own assets.
  const own = registered.filter((route) => !route.startsWith('GET /docs/') && !route.startsWith('HEAD '));
  const documented = operations.map(
    ({ method, path }) => `${method.toUpperCase()} ${path.replace(/\{(\w+)\}/g, ':$1')}`,
  );
  t.same(own.sort(), documented.sort());
});

/** Fastify prints its routes as a tree: four characters a level, a path below its prefix. */
function routesOf(printed: string): string[] {
  const prefixes: string[] = [];
  return printed.split('\n').flatMap((line) => {
    const [, indent = '', path, methods] = /^((?:[│ ] {3})*)[├└]── (\S*)(?: \((.*)\))?$/.exec(line) ?? [];
    if (path === undefined) return [];
    const level = indent.length / 4;
    prefixes.length = level;
    prefixes.push((prefixes[level - 1] ?? '') + path);
    return (methods ?? '')
      .split(', ')
      .filter(Boolean)
      .map((method) => `${method} ${prefixes[level]}`);
  });
}

t.test('with a server', async (t) => {
  const { url: databaseUrl, query: ask } = await testDatabase(t);
  const { url } = await startServer(t, { databaseUrl });

  /** Sends a request and holds the answer against the description. */
  async function exchange(t: Test, { method, at }: Operation, path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await fetch(new URL(path, url), { method: method.toUpperCase(), ...init });
    const type = response.headers.get('content-type')?.replace(/;.*/, '') ?? '';
    const text = await response.text();
    const body: Tree = /json$/.test(type) && !/ndjson/.test(type) ? JSON.parse(text) : text;
    const documented = under(at, 'responses', String(response.status));
    const what = `${method} ${path} ${response.status}`;
    const isDocumented = documented.value?.content?.[type] !== undefined;
    t.ok(isDocumented, `${what} ${type} is documented`);
    if (isDocumented) t.same(bodyFaults(under(documented, 'content', type), type, body), [], what);
    for (const [name, header] of children(documented, 'headers')) {
      const value = response.headers.get(name);
      const { type } = under(header, 'schema').value;
      const typed = value !== null && type === 'integer' ? Number(value) : value;
      if (value !== null) t.same(faultsOf(under(header, 'schema'), typed), [], `${what} ${name}: ${value}`);
    }
    return { status: response.status, headers: response.headers, type, body };
  }

  await t.test('rejections are replayed as the examples say', async (t) => {
    const body = doc.components.examples.mixed_lines.value;
    await exchange(t, postEvents, '/v1/events', { body, headers: { 'content-type': 'application/x-ndjson' } });
    const operation = operations.find(({ at }) => at.value.operationId === 'replayRejections')!;
    const media = under(operation.at, 'requestBody', 'content', 'application/json');
    for (const [name, example] of children(media, 'examples')) {
      const answer = await exchange(t, operation, operation.path, {
        body: JSON.stringify(example.value.value),
        headers: { 'content-type': 'application/json' },
      });
      const expected = answerExample(operation, name);
      t.equal(answer.status, expected.status, name);
      t.same(timeless(answer.body), timeless(expected.value), name);
    }
  });

  for (const [type, media] of children(under(postEvents.at, 'requestBody'), 'content')) {
    for (const [name, example] of children(media, 'examples')) {
      await t.test(`the upload called ${name} as ${type} gets the answer called ${name}`, async (t) => {
        const { query, headers } = parametersOf(postEvents, name);
        const body = bodyOf(type, example.value.value);
        const init = { body, headers: type === 'multipart/form-data' ? headers : { ...headers, 'content-type': type } };
        const answer = await exchange(t, postEvents, `/v1/events${query}`, init);
        const expected = answerExample(postEvents, name);
        t.equal(answer.status, expected.status);
        t.same(timeless(answer.body), timeless(expected.value));
      });
    }
  }

  for (const operation of operations.filter(({ method }) => method === 'get')) {
    const names = new Set(
      children(operation.at, 'responses').flatMap(([, response]) =>
        children(response, 'content').flatMap(([, media]) => children(media, 'examples').map(([name]) => name)),
      ),
    );
    for (const name of names) {
      await t.test(`${operation.path} gives the example called ${name}`, async (t) => {
        const batch = await exchange(t, postEvents, '/v1/events', {
          body: doc.components.examples.mixed_lines.value,
          headers: { 'content-type': 'application/x-ndjson' },
        });
        const { query, path } = parametersOf(operation, name);
        const address = operation.path.replace(/\{(\w+)\}/g, (_, key) =>
          key === 'id' ? batch.body.batch_id : path[key],
        );
        const answer = await exchange(t, operation, address + query);
        const expected = answerExample(operation, name);
        t.equal(answer.status, expected.status);
        t.same(timeless(answer.body), timeless(expected.value));
      });
    }
    if (operation.parameters.every(({ value }) => value.in !== 'path')) {
      await t.test(`${operation.path} answers as described without parameters`, async (t) => {
        await exchange(t, operation, operation.path);
      });
    }
  }

  await t.test('schemas are compared, registered and reloaded as the examples say', async (t) => {
    // None of these writes into the schema folder.
    const asked: [operationId: string, path: string, name: string][] = [
      ['checkCompatibility', '/v1/schemas/user_event/compatibility', 'addition'],
      ['registerVersion', '/v1/schemas/user_event/versions', 'existing'],
      ['registerVersion', '/v1/schemas/user_event/versions', 'incompatible'],
      ['reloadSchemas', '/v1/schemas/reload', 'nothing_new'],
    ];
    for (const [id, path, name] of asked) {
      const operation = operations.find(({ at }) => at.value.operationId === id)!;
      const { query } = parametersOf(operation, name);
      const media = under(operation.at, 'requestBody', 'content', 'application/json');
      const body = id === 'reloadSchemas' ? null : JSON.stringify(under(media, 'examples', name).value.value);
      const answer = await exchange(t, operation, path + query, {
        body,
        headers: { 'content-type': 'application/json' },
      });
      const expected = answerExample(operation, name);
      t.equal(answer.status, expected.status, name);
      t.same(lasting(answer.body), lasting(expected.value), name);
    }
  });

  await t.test('batches are promoted, discarded and undone as described', async (t) => {
    const operation = (id: string) => operations.find(({ at }) => at.value.operationId === id)!;
    const types = { ndjson: { 'content-type': 'application/x-ndjson' }, json: { 'content-type': 'application/json' } };
    const upload = (name: string) =>
      exchange(t, postEvents, '/v1/events', { body: doc.components.examples[name].value, headers: types.ndjson });
    const settle = async (id: string, batch: string, init: RequestInit = {}) => {
      const of = operation(id);
      return exchange(t, of, of.path.replace('{id}', batch), init);
    };
    const { body: mixed } = await upload('mixed_lines');
    const undone = await settle('undoBatch', mixed.batch_id);
    t.same(timeless(undone.body), timeless(answerExample(operation('undoBatch'), 'mixed').value));

    const init = { body: JSON.stringify({ reason: 'looked at' }), headers: types.json };
    for (const [id, status] of [
      ['promoteBatch', 'promoted'],
      ['discardBatch', 'discarded'],
    ] as const) {
      const batch = await hold(ask, { json: (await upload('two_events')).body }, 'user_event');
      t.match((await settle('promoteBatch', batch)).body, { status: 400, code: 'invalid_body' });
      t.match((await settle('undoBatch', batch)).body, { status: 409, code: 'batch_not_promoted' });
      await exchange(t, operation('getBatch'), `/v1/batches/${batch}`);
      t.match((await settle(id, batch, init)).body, { status, history: [{ action: status, reason: 'looked at' }] });
      const again = await settle(id, batch, init);
      t.match(again.body, { status: 409, code: 'batch_not_held', batch_id: batch, batch_status: status });
    }
    const batch = await hold(ask, { json: (await upload('two_events')).body }, 'user_event');
    await ask('DELETE FROM stage.user_event WHERE _batch_id = $1', [batch]);
    t.match((await settle('promoteBatch', batch, init)).body, { status: 409, code: 'batch_incomplete' });
    await ask(`INSERT INTO sluice.line_runs VALUES ($1, 1, 1, 'rejected')`, [batch]);
    t.match((await exchange(t, operation('getBatch'), `/v1/batches/${batch}`)).body, { rejections_expired: true });
  });

  await t.test('a version of a schema is its file', async (t) => {
    const operation = operations.find(({ at }) => at.value.operationId === 'getSchema')!;
    const file = JSON.parse(readFileSync(`${ROOT}schemas/user_event/1.0.0.json`, 'utf8'));
    for (const version of ['1.0.0', 'latest']) {
      const { body } = await exchange(t, operation, `/v1/schemas/user_event/versions/${version}`);
      t.same(body, file);
    }
  });

  await t.test('refusals are problems as described', async (t) => {
    const event = doc.components.examples.two_events.value;
    const ndjson = { 'content-type': 'application/x-ndjson' };
    const json = { 'content-type': 'application/json' };
    const refused: [operationId: string, path: string, code: ProblemCode, init?: RequestInit][] = [
      ['postEvents', '/v1/events', 'unsupported_media_type', { body: event, headers: { 'content-type': 'text/csv' } }],
      [
        'postEvents',
        '/v1/events',
        'unsupported_encoding',
        { body: event, headers: { ...ndjson, 'content-encoding': 'br' } },
      ],
      [
        'postEvents',
        '/v1/events',
        'invalid_compression',
        { body: event, headers: { ...ndjson, 'content-encoding': 'gzip' } },
      ],
      [
        'postEvents',
        '/v1/events',
        'invalid_idempotency_key',
        { body: event, headers: { ...ndjson, 'idempotency-key': 'a b' } },
      ],
      ['postEvents', '/v1/events?dry_run=maybe', 'invalid_parameter', { body: event, headers: ndjson }],
      ['postEvents', '/v1/events?max_rejected=101%25', 'invalid_parameter', { body: event, headers: ndjson }],
      ['postEvents', '/v1/events?dryrun=true', 'invalid_parameter', { body: event, headers: ndjson }],
      [
        'postEvents',
        '/v1/events',
        'invalid_multipart',
        { body: event, headers: { 'content-type': 'multipart/form-data; boundary=x' } },
      ],
      [
        'postEvents',
        '/v1/events',
        'headers_too_large',
        { body: event, headers: { ...ndjson, 'x-much': 'x'.repeat(20_000) } },
      ],
      ['listBatches', '/v1/batches?limit=0', 'invalid_parameter'],
      ['listBatches', '/v1/batches?cursor=x', 'invalid_parameter'],
      ['listBatches', '/v1/batches?from=yesterday', 'invalid_parameter'],
      ['getBatch', '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50', 'batch_not_found'],
      ['getBatchLines', '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50/lines', 'batch_not_found'],
      ['getBatchRejections', '/v1/batches/nonsense/rejections', 'batch_not_found'],
      ['getBatch', '/v1/batches/%', 'bad_request'],
      ['undoBatch', '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50', 'batch_not_found'],
      ['undoBatch', '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50?force=true', 'invalid_parameter'],
      ['discardBatch', '/v1/batches/nonsense/discard', 'batch_not_found'],
      [
        'discardBatch',
        '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50/discard',
        'unsupported_media_type',
        { body: '{}' },
      ],
      [
        'promoteBatch',
        '/v1/batches/019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50/promote',
        'invalid_body',
        { body: '{"why":"x"}', headers: json },
      ],
      ['listRejections', '/v1/rejections?code=x', 'invalid_parameter'],
      ['listRejections', '/v1/rejections?cursor=x', 'invalid_parameter'],
      ['replayRejections', '/v1/rejections/replay', 'unsupported_media_type', { body: '{}' }],
      ['replayRejections', '/v1/rejections/replay', 'invalid_body', { body: '{}', headers: json }],
      ['replayRejections', '/v1/rejections/replay?dry_run=true', 'invalid_parameter', { body: '{}', headers: json }],
      [
        'replayRejections',
        '/v1/rejections/replay',
        'unknown_schema',
        { body: '{"filter":{},"schema":"x"}', headers: json },
      ],
      ['getSubject', '/v1/schemas/no_such_subject', 'schema_not_found'],
      ['listVersions', '/v1/schemas/no_such_subject/versions', 'schema_not_found'],
      ['getSchema', '/v1/schemas/user_event/versions/9.9.9', 'schema_not_found'],
      ['reloadSchemas', '/v1/schemas/reload?force', 'invalid_parameter'],
      ['registerVersion', '/v1/schemas/user_event/versions', 'unsupported_media_type', { body: '{}' }],
      ['registerVersion', '/v1/schemas/..%2Fx/versions', 'invalid_parameter', { body: '{}', headers: json }],
      ['registerVersion', '/v1/schemas/x/versions?version=1', 'invalid_parameter', { body: '{}', headers: json }],
      ['registerVersion', '/v1/schemas/x/versions', 'invalid_schema', { body: '{', headers: json }],
      [
        'registerVersion',
        '/v1/schemas/user_event/versions?version=1.0.0',
        'version_conflict',
        { body: '{}', headers: json },
      ],
      ['checkCompatibility', '/v1/schemas/x/compatibility', 'schema_not_found', { body: '{}', headers: json }],
      [
        'checkCompatibility',
        '/v1/schemas/user_event/compatibility?mode=x',
        'invalid_parameter',
        { body: '{}', headers: json },
      ],
      [
        'checkCompatibility',
        '/v1/schemas/user_event/compatibility',
        'invalid_schema',
        { body: '{"type":1}', headers: json },
      ],
    ];
    for (const [id, path, code, init] of refused) {
      const operation = operations.find(({ at }) => at.value.operationId === id)!;
      const { body, type, status } = await exchange(t, operation, path, init);
      t.equal(type, 'application/problem+json', path);
      t.same([body.code, body.status, status], [code, PROBLEMS[code][0], PROBLEMS[code][0]], path);
    }
  });

  await t.test(
    'an address that is not described is not there, and a method that is not described is not taken',
    async (t) => {
      const problem = under(place('/components/schemas'), 'Problem');
      for (const [method, path, code] of [
        ['GET', '/v1/nothing', 'not_found'],
        ['DELETE', '/v1/events', 'method_not_allowed'],
      ]) {
        const response = await fetch(new URL(path!, url), { method: method! });
        const body: Tree = await response.json();
        t.same(faultsOf(problem, body), []);
        t.equal(body.code, code);
      }
    },
  );

  await t.test('a retry with the same Idempotency-Key gets the same answer, another payload a problem', async (t) => {
    const headers = { 'content-type': 'application/x-ndjson', 'idempotency-key': 'the-key' };
    const send = (body: string) => exchange(t, postEvents, '/v1/events', { body, headers });
    const first = await send(doc.components.examples.mixed_lines.value);
    const again = await send(doc.components.examples.mixed_lines.value);
    t.same(again.body, first.body);
    t.equal(again.status, first.status);
    t.equal(again.headers.get('idempotent-replayed'), 'true');
    const other = await send(doc.components.examples.two_events.value);
    t.equal(other.body.code, 'idempotency_key_reused');
  });

  await t.test('the generated client walks the list of batches page by page', async (t) => {
    const client = sluiceClient({ url: new URL(url) });
    const ids: string[] = [];
    let cursor: string | null | undefined;
    for (let page = 0; page < 100 && cursor !== null; page++) {
      const query = { limit: 3, ...(cursor ? { cursor } : {}) };
      const { data } = await client.GET('/v1/batches', { params: { query } });
      ids.push(...data!.items.map((each) => each.batch_id));
      cursor = data!.next_cursor;
    }
    t.equal(cursor, null);
    t.ok(ids.length > 10);
    t.equal(new Set(ids).size, ids.length, 'no batch comes twice');
    for (const id of ids.slice(0, 3)) {
      const { data } = await client.GET('/v1/batches/{id}', { params: { path: { id } } });
      t.equal(data?.batch_id, id);
    }
  });

  await t.test('the page loads nothing from other hosts', async (t) => {
    const page = await (await fetch(new URL('/docs', url))).text();
    const assets = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, each]) => new URL(each!, `${url}/docs`));
    t.ok(assets.length > 4);
    for (const asset of assets) {
      t.equal(asset.origin, url);
      t.equal((await fetch(asset)).status, 200, asset.pathname);
    }
    const policy = (await fetch(new URL('/docs', url))).headers.get('content-security-policy');
    t.match(policy, "default-src 'self'");
    t.same(await (await fetch(new URL('/docs/json', url))).json(), doc, 'it shows this document');
    t.equal(await (await fetch(new URL('/openapi.yaml', url))).text(), readFileSync(`${ROOT}openapi.yaml`, 'utf8'));
  });
});

interface Answer {
  status: number;
  headers: Headers;
  type: string;
  body: Tree;
}

/** The parameters that have an example of this name. */
function parametersOf({ parameters }: Operation, name: string) {
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  const path: Record<string, string> = {};
  for (const parameter of parameters) {
    const value = parameter.value.examples?.[name]?.value;
    if (value === undefined) continue;
    if (parameter.value.in === 'query') query.set(parameter.value.name, String(value));
    else if (parameter.value.in === 'header') headers[parameter.value.name] = value;
    else path[parameter.value.name] = value;
  }
  return { query: query.size > 0 ? `?${query}` : '', headers, path };
}

function bodyOf(type: string, value: Tree): string | FormData {
  if (type === 'application/json') return JSON.stringify(value);
  if (type !== 'multipart/form-data') return value;
  const form = new FormData();
  for (const [field, files] of Object.entries<string[]>(value)) {
    for (const [index, file] of files.entries()) form.append(field, new Blob([file]), `${field}-${index + 1}.ndjson`);
  }
  return form;
}

function answerExample({ at }: Operation, name: string): { status: number; value: Tree } {
  for (const [status, response] of children(at, 'responses')) {
    for (const [, media] of children(response, 'content')) {
      const example = children(media, 'examples').find(([each]) => each === name)?.[1];
      if (example !== undefined) return { status: Number(status), value: example.value.value };
    }
  }
  throw new Error(`no answer is called ${name}`);
}

/** Without what is stored at the moment, and which of many documents is shown as a witness. */
function lasting(value: Tree): Tree {
  return JSON.parse(JSON.stringify(value), (key, each) =>
    /witness$|_checked$|_failing$|_rescued$/.test(key) ? typeof each : each,
  );
}

/** Without what differs from run to run and from runtime to runtime. */
function timeless(value: Tree): Tree {
  if (typeof value === 'string') return /^\{"line"/.test(value) ? linesOf(value) : value;
  return JSON.parse(JSON.stringify(value), (key, each) => {
    if (key === 'batch_id' || key === 'next_cursor') return typeof each;
    if (['received_at', 'checked_at', 'at', 'replay_of'].includes(key)) return each.length;
    if (key === 'duration_ms') return typeof each;
    if (key === 'links') return Object.keys(each);
    // V8 words its complaints about JSON differently from version to version.
    if (each?.keyword === 'json') return { ...each, message: typeof each.message };
    return each;
  });
}
