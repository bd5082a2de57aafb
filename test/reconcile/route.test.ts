// The proof over HTTP: many at once, and clients that do not wait.
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import t from 'tap';
import { get, ndjsonOf } from '../helpers/http.ts';
import { bench, thing } from './batches.ts';

t.test('many at once, beside uploads, with the smallest pool', async (t) => {
  const base = await bench(t, undefined, { POOL_SIZE: '2' });
  const text = ndjsonOf(Array.from({ length: 5_000 }, (_, at) => thing(at)));
  const { id } = await base.load([{ text }]);
  const proofs = Array.from({ length: 12 }, () => base.reconcile(id));
  const uploads = Array.from({ length: 4 }, () => base.load([{ text }]));
  for (const { status } of await Promise.all(proofs)) t.equal(status, 'matched');
  for (const { report } of await Promise.all(uploads)) t.equal(report.lines.accepted, 5_000);
});

t.test('a client that goes away ends its proof, and the next one has its turn', async (t) => {
  const base = await bench(t);
  const { id } = await base.load([{ text: ndjsonOf([thing(1)]) }]);
  const locker = new pg.Client({ connectionString: base.url });
  await locker.connect();
  t.teardown(() => locker.end());
  await locker.query('BEGIN; LOCK TABLE events.thing IN ACCESS EXCLUSIVE MODE');
  const copying = async () => {
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'COPY (%'`;
    return (await base.query(waiting)).length;
  };
  const eventually = async (wanted: number) => {
    for (let look = 0; look < 80 && (await copying()) !== wanted; look++) await sleep(100);
    t.equal(await copying(), wanted);
  };
  const gone = new AbortController();
  const path = `/v1/batches/${id}/reconciliation`;
  const first = fetch(`${base.server.url}${path}`, { signal: gone.signal });
  await eventually(1);
  gone.abort();
  await t.rejects(first);
  // Postgres looks after its client every two seconds.
  await eventually(0);
  const second = get(base.server, path);
  await locker.query('COMMIT');
  t.match(await second, { status: 200, json: { status: 'matched' } });
  t.strictSame(
    base.server.logs().filter((line) => line.includes('request failed')),
    [],
  );
});
