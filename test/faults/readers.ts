// Somebody who reads final all the while, as users of the data do, and notes how much of each batch was there.
import { setTimeout as sleep } from 'node:timers/promises';
import { SUBJECTS } from './generate.ts';

export interface Reader {
  /** By batch: every number of rows that was seen. */
  seen: Map<string, Set<number>>;
  /** How often it looked. */
  looks(): number;
  stop(): Promise<void>;
}

const PAUSE_MS = 25;

/** Begins to read. While Postgres is away it sees nothing and goes on asking. */
export function readFinal(query: (sql: string) => Promise<{ batch: string; rows: number }[]>): Reader {
  const seen = new Map<string, Set<number>>();
  let isStopped = false;
  let looks = 0;
  const sql = SUBJECTS.map(
    (subject) => `SELECT _batch_id AS batch, count(*)::int AS rows FROM events.${JSON.stringify(subject)} GROUP BY 1`,
  ).join(' UNION ALL ');
  const running = (async () => {
    for (; !isStopped; await sleep(PAUSE_MS)) {
      const rows = await query(sql).catch(() => []);
      looks++;
      for (const { batch, rows: count } of rows) seen.set(batch, (seen.get(batch) ?? new Set()).add(count));
    }
  })();
  return {
    seen,
    looks: () => looks,
    stop: async () => {
      isStopped = true;
      await running;
    },
  };
}
