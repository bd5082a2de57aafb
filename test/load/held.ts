// Held batches without a failed check: a promoted one is put back into the stage, as if one had failed.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import type { Answer } from '../helpers/http.ts';
import type { TestDatabase } from '../helpers/postgres.ts';

type Query = TestDatabase['query'];

/** A subject whose events have an id. */
export const ORDER = {
  type: 'object',
  additionalProperties: false,
  required: ['id'],
  properties: { id: { type: 'integer', 'x-id': true }, note: { type: 'string' } },
};

/** A schema folder: `{'order/1.0.0': schema}`. */
export async function schemaFolder(t: Test, schemas: Record<string, object>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-schemas-'));
  t.teardown(() => rm(folder, { recursive: true }));
  await addSchemas(folder, schemas);
  return folder;
}

export async function addSchemas(folder: string, schemas: Record<string, object>): Promise<void> {
  for (const [id, schema] of Object.entries(schemas)) {
    await mkdir(join(folder, id, '..'), { recursive: true });
    await writeFile(join(folder, `${id}.json`), JSON.stringify(schema));
  }
}

/** What stands for the fingerprint of a row. */
function fingerprint(line: number): Buffer {
  return createHash('sha256').update(`row ${line}`).digest().subarray(0, 8);
}

/** Puts a promoted batch back. Returns its id. */
export async function hold(query: Query, { json }: Pick<Answer, 'json'>, ...tables: string[]): Promise<string> {
  const id: string = json.batch_id;
  await query('DELETE FROM sluice.row_digests WHERE batch_id = $1', [id]);
  for (const table of tables) {
    await query(`INSERT INTO stage."${table}" SELECT * FROM events."${table}" WHERE _batch_id = $1`, [id]);
    await query(`DELETE FROM events."${table}" WHERE _batch_id = $1`, [id]);
    const rows = await query<{ _line: number }>(
      `SELECT _line FROM stage."${table}" WHERE _batch_id = $1 ORDER BY _line`,
      [id],
    );
    await recordRows(
      query,
      id,
      table,
      rows.map(({ _line }) => _line),
    );
  }
  const [{ report }] = (await query('SELECT report FROM sluice.batches WHERE id = $1', [id])) as [{ report: object }];
  await query(`UPDATE sluice.batches SET status = 'held', http_status = 202, report = $2 WHERE id = $1`, [
    id,
    JSON.stringify({ ...report, status: 'held' }),
  ]);
  return id;
}

/** Records rows as loading does, a block of at most `size` at a time. */
export async function recordRows(
  query: Query,
  id: string,
  table: string,
  lines: number[],
  size = 1_000_000,
): Promise<void> {
  for (let from = 0; from < lines.length; from += size) {
    const block = lines.slice(from, from + size);
    const pairs: number[] = [];
    for (const line of block) {
      if (pairs.length > 0 && line === pairs.at(-2)! + pairs.at(-1)!) pairs[pairs.length - 1]!++;
      else pairs.push(line, 1);
    }
    const runs = Buffer.alloc(pairs.length * 4);
    pairs.forEach((number, index) => {
      runs.writeInt32BE(number, index * 4);
    });
    await query(
      `INSERT INTO sluice.row_digests (batch_id, table_name, block, columns, lines, fingerprints)
       VALUES ($1, $2, $3, '{}', $4, $5)`,
      [id, table, from / size, runs, Buffer.concat(block.map(fingerprint))],
    );
  }
}

/** The digest of a batch that has these rows. */
export function digestOf(tables: Record<string, number[]>): Buffer {
  const digest = createHash('sha256');
  for (const table of Object.keys(tables).sort()) {
    const rows = createHash('sha256');
    for (const line of tables[table]!) {
      const number = Buffer.alloc(4);
      number.writeInt32BE(line);
      rows.update(number).update(fingerprint(line));
    }
    digest.update(table).update('\0').update(rows.digest());
  }
  return digest.digest();
}
