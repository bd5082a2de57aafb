// `sluice schemas new`, and the other commands of the group where they are asked in vain.
import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { sluice } from './sluice.ts';

const events = Array.from({ length: 30 }, (_, at) => ({
  id: `0190d6b8-0000-7000-8000-${String(at).padStart(12, '0')}`,
  at: `2026-01-01T00:00:${String(at % 60).padStart(2, '0')}Z`,
  kind: ['view', 'click'][at % 2],
  user: { email: `u${at}@example.com`, age: at % 3 === 0 ? null : at },
  ...(at % 2 === 0 && { note: 'x'.repeat(at) }),
}));
const text = events.map((event) => `${JSON.stringify(event)}\n`).join('');

t.test('a schema from samples, which check finds fine and which no sample breaks', async (t) => {
  const dir = t.testdir({ 'events.ndjson': text, 'events.ndjson.gz': gzipSync(text) });
  const made = await sluice(t, ['schemas', 'new', 'page_view', '--from', 'events.ndjson'], { cwd: dir });
  t.same(made, {
    code: 0,
    stdout:
      'schemas/page_view/1.0.0.json: inferred from 30 events\nschemas/page_view/examples/pass.ndjson: the first 10\n',
    stderr: '',
  });
  const schema = JSON.parse(readFileSync(`${dir}/schemas/page_view/1.0.0.json`, 'utf8'));
  t.match(schema.properties, {
    id: { format: 'uuid' },
    at: { format: 'date-time' },
    kind: { enum: ['click', 'view'] },
    user: {
      properties: { email: { format: 'email' }, age: { type: ['integer', 'null'] } },
      required: ['email', 'age'],
    },
  });
  t.same(schema.required, ['id', 'at', 'kind', 'user']);
  t.match(await sluice(t, ['schemas', 'check'], { cwd: dir }), { code: 0, stdout: /0 errors, 0 warnings/ });
  t.match(await sluice(t, ['validate', 'events.ndjson'], { cwd: dir }), { code: 0, stdout: /30 accepted/ });

  const again = await sluice(t, ['schemas', 'new', 'page_view', '--from', 'events.ndjson'], { cwd: dir });
  t.match(again, { code: 2, stderr: /1\.0\.0\.json is there already, and nothing is overwritten/ });
  const zipped = await sluice(t, ['schemas', 'new', 'zipped', '--from', 'events.ndjson.gz'], { cwd: dir });
  t.equal(zipped.code, 0);
  t.same(JSON.parse(readFileSync(`${dir}/schemas/zipped/1.0.0.json`, 'utf8')), schema);
});

t.test('values that Postgres cannot hold do not become a format or an example', async (t) => {
  const lines = ['{"at":"0000-01-01T00:00:00Z"}', '{"at":"2026-01-01T00:00:00Z","$schema":"old/1.0.0"}'];
  const dir = t.testdir({});
  const made = await sluice(t, ['schemas', 'new', 'a', '--from', '-'], { cwd: dir, stdin: lines.join('\n') });
  t.equal(made.code, 0);
  t.same(JSON.parse(readFileSync(`${dir}/schemas/a/1.0.0.json`, 'utf8')).properties, {
    at: { type: 'string', maxLength: 64 },
  });
  t.equal(
    readFileSync(`${dir}/schemas/a/examples/pass.ndjson`, 'utf8'),
    `${lines[0]}\n{"at":"2026-01-01T00:00:00Z"}\n`,
  );
  t.match(await sluice(t, ['schemas', 'check'], { cwd: dir }), { code: 0 });
});

t.test('what cannot become a schema is told in one line, with exit code 2', async (t) => {
  const dir = t.testdir({ 'ok.ndjson': '{}\n', dir: {} });
  const cases: [subject: string, content: string | Buffer, said: RegExp][] = [
    ['a', '', /has no event in it/],
    ['a', '\n\n', /has no event in it/],
    ['a', '{"a":1}\n{"a":\n', /line 2 is not JSON/],
    ['a', '[1]\n', /line 1 is no JSON object/],
    ['a', Buffer.from([0x7b, 0xff, 0x7d]), /line 1 is not UTF-8/],
    ['a', '{"a":1e400}', /line 1 has a number beyond double/],
    ['a', `{"a":${'['.repeat(100)}${']'.repeat(100)}}`, /line 1 is nested deeper than MAX_DEPTH \(64\)/],
    ['../x', '{}', /is no name for a subject/],
    ['a__v2', '{}', /is no name for a subject/],
    ['constructor_', '', /has no event/],
  ];
  for (const [subject, content, said] of cases) {
    writeFileSync(`${dir}/in.ndjson`, content);
    const { code, stdout, stderr } = await sluice(t, ['schemas', 'new', subject, '--from', 'in.ndjson'], { cwd: dir });
    t.same([code, stdout], [2, '']);
    t.match(stderr, said);
    t.equal(stderr.split('\n').length, 2, stderr);
  }
  t.match(await sluice(t, ['schemas', 'new', 'a', '--from', 'none.ndjson'], { cwd: dir }), {
    code: 2,
    stderr: /no such file/,
  });
  t.match(await sluice(t, ['schemas', 'new', 'a', '--from', 'dir'], { cwd: dir }), {
    code: 2,
    stderr: /is a directory/,
  });
});

t.test('each command of the group has a help with an example', async (t) => {
  for (const name of ['check', 'compare', 'new', 'plan', 'drift']) {
    const { code, stdout } = await sluice(t, ['schemas', name, '--help']);
    t.equal(code, 0);
    t.match(stdout, new RegExp(`^ .*sluice schemas ${name} ?`, 'm'));
  }
  t.match(await sluice(t, ['schemas', 'plann']), { code: 2, stderr: /Did you mean plan\?/ });
  t.match(await sluice(t, ['schemas', 'compare', '--mode', 'SIDEWAYS', 'a', 'b']), { code: 2, stderr: /BACKWARD/ });
});
