// GET /v1/rejections: what is in the quarantine, by filter and page by page.
import t from 'tap';
import { quarantine } from './replaying.ts';

t.test('the quarantine lists what was rejected', async (t) => {
  const { ingest, upload, list, replay, database } = await quarantine(t);
  const first = await ingest('visit', { a: 'x' }, { a: 1, more: 1 }, { b: 1 });
  const second = await upload(Buffer.from('{"a":\xff}\n{"a":1\n{"$schema":"nothing/1.0.0"}\n', 'latin1'));
  const third = await ingest('order', { n: 'x', id: 'x' }, { n: 1, id: 2 });
  const codes = async (parameters: Record<string, string>) => {
    const { json } = await list(parameters);
    return json.items.map((item: { batch_id: string; line: number; code: string }) => [
      [first, second, third].findIndex((each) => each.json.batch_id === item.batch_id),
      item.line,
    ]);
  };

  await t.test('newest first, with bytes and place', async (t) => {
    t.strictSame(await codes({}), [
      [2, 2],
      [2, 1],
      [1, 3],
      [1, 2],
      [1, 1],
      [0, 3],
      [0, 2],
      [0, 1],
    ]);
    const { items, next_cursor } = (await list({ batch_id: second.json.batch_id })).json;
    t.equal(next_cursor, null);
    t.match(items, [
      { code: 'unknown_schema', raw: '{"$schema":"nothing/1.0.0"}', state: 'stored' },
      { code: 'invalid_json', raw: '{"a":1', offset: 8 },
      { code: 'invalid_utf8', raw_base64: Buffer.from('{"a":\xff}', 'latin1').toString('base64') },
    ]);
    t.ok(items.every((item: { replayed_by?: unknown }) => !('replayed_by' in item)));
  });

  await t.test('each filter, and all of them together', async (t) => {
    t.strictSame(await codes({ subject: 'order' }), [
      [2, 2],
      [2, 1],
    ]);
    t.strictSame(await codes({ code: 'invalid_json' }), [[1, 2]]);
    t.strictSame(await codes({ path: '/a' }), [[0, 1]]);
    t.strictSame(await codes({ keyword: 'required' }), [[0, 3]]);
    // Line 3 lacks a, and has a b too many: both errors stand at the event itself.
    t.strictSame(await codes({ path: '', keyword: 'required' }), [[0, 3]]);
    t.strictSame(await codes({ path: '/a', keyword: 'required' }), [], 'path and keyword are of one error');
    t.strictSame(await codes({ batch_id: first.json.batch_id, path: '/a', subject: 'visit' }), [[0, 1]]);
    const [{ middle }] = (await database.query(
      `SELECT to_char(received_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') AS middle
       FROM sluice.batches WHERE id = $1`,
      [second.json.batch_id],
    )) as [{ middle: string }];
    t.strictSame((await codes({ from: middle })).length, 5);
    t.strictSame(await codes({ to: middle }), [
      [0, 3],
      [0, 2],
      [0, 1],
    ]);
  });

  await t.test('what it does not understand it refuses by name', async (t) => {
    for (const [name, value] of [
      ['subject', 'No'],
      ['code', 'wrong'],
      ['path', 'a'],
      ['path', '/a~2'],
      ['batch_id', '1'],
      ['from', 'yesterday'],
      ['state', 'lost'],
      ['limit', '0'],
      ['limit', '1001'],
      ['cursor', 'x'],
      ['cursor', Buffer.from('["019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50",0]').toString('base64url')],
      ['cursor', Buffer.from('["1\'",1]').toString('base64url')],
      ['verdict', 'x'],
    ] as const) {
      const answer = await list({ [name]: value });
      t.match(answer, { status: 400, json: { code: 'invalid_parameter', parameter: name } }, `${name}=${value}`);
    }
    for (const value of [`/a' OR '1'='1`, '/\\', '/"', '/\0', '/\ud800', '/?', '/$1', '/:a']) {
      t.match(await list({ path: value }), { status: 200, json: { items: [] } }, JSON.stringify(value));
    }
  });

  await t.test('pages join without a gap, whatever is rejected meanwhile', async (t) => {
    const before = (await list()).json.items;
    const seen: unknown[] = [];
    let cursor: string | null = '';
    for (let page = 0; page < 20 && cursor !== null; page++) {
      const { json } = await list({ limit: '3', ...(cursor === '' ? {} : { cursor }) });
      seen.push(...json.items);
      cursor = json.next_cursor;
      await ingest('visit', { a: 'late' });
    }
    t.strictSame(seen, before);
  });

  await t.test('a state is what replays made of it', async (t) => {
    const { json } = await replay({ filter: { path: '/a' }, patch: [{ op: 'replace', path: '/a', value: 7 }] });
    const rescued = (await list({ state: 'rescued' })).json.items;
    t.equal(rescued.length, json.lines.accepted);
    t.match(rescued.at(-1), {
      batch_id: first.json.batch_id,
      line: 1,
      raw: '{"a":"x"}',
      replayed_by: { batch_id: json.batch_id, line: 1, status: 'promoted' },
    });
    // The replay is held: its lines are pending.
    await database.query(`UPDATE sluice.batches SET status = 'held' WHERE id = $1`, [json.batch_id]);
    t.equal((await list({ state: 'rescued' })).json.items.length, 0);
    t.equal((await list({ state: 'pending' })).json.items.length, rescued.length);
    t.match((await list({ state: 'stored' })).json.items.length, 7);
  });
});

t.test('a page ends where its lines have about 8 MiB, and the next one goes on', async (t) => {
  const { upload, list } = await quarantine(t);
  const line = `{"a":"${'x'.repeat(1_000_000)}"}\n`;
  await upload(line.repeat(20), '?schema=visit');
  const lines: number[] = [];
  let pages = 0;
  for (let cursor: string | null = ''; cursor !== null && pages < 10; pages++) {
    const { json, text } = await list(cursor === '' ? {} : { cursor });
    t.ok(text.length < 10_000_000);
    lines.push(...json.items.map((item: { line: number }) => item.line));
    cursor = json.next_cursor;
  }
  t.equal(pages, 3);
  t.strictSame(
    lines,
    [...lines].sort((a, b) => b - a),
  );
  t.equal(new Set(lines).size, 20);
});
