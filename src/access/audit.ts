// The audit log: what was changed, by whom. Rows are only ever added. What goes through one transaction is noted inside
// of it, so that it is not done without its row; anything else, and what was refused, right after.
import type { Client } from './client.ts';

/** What is used of a pg connection. */
export interface AuditConnection {
  // biome-ignore lint/suspicious/noExplicitAny: rows are named by each statement
  query(text: string, values?: unknown[]): Promise<{ rows: any[] }>;
}

export type AuditAction =
  | 'batch.promote'
  | 'batch.discard'
  | 'batch.undo'
  | 'rejections.replay'
  | 'schema.register'
  | 'schema.reload'
  | 'key.create'
  | 'key.revoke';

/** Somebody with a key, everybody where no keys are asked for, or the command line. */
export type Actor = Pick<Client, 'id' | 'keyId' | 'name'>;

/** Whoever can run a command on the database itself. */
export const COMMAND_LINE: Actor = { id: null, keyId: null, name: 'cli' };

export interface AuditEntry {
  action: AuditAction;
  /** What it was done to: a batch's id, a schema version, a key's id; null where it has no name (yet). */
  target: string | null;
  /** The status that it was answered with; null for the command line. */
  status: number | null;
  details: Readonly<Record<string, unknown>>;
}

/** Adds a row, in whatever transaction the connection is in. */
export async function recordAudit(connection: AuditConnection, actor: Actor, entry: AuditEntry): Promise<void> {
  const { action, target, status, details } = entry;
  await connection.query(
    `INSERT INTO sluice.audit_log (key_id, client, actor, action, target, status, details)
     VALUES ($1, $2, $3, $4, $5, $6, $7)`,
    [actor.keyId, actor.id, actor.name, action, target, status, JSON.stringify(details, storable)],
  );
}

/** Characters of a text among the details: clients chose them, and as many as they liked. */
const LONGEST_TEXT = 2_000;

/** jsonb holds neither NUL nor half a surrogate pair. */
function storable(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? value.slice(0, LONGEST_TEXT).toWellFormed().replaceAll('\0', '\ufffd') : value;
}

/** A row as it is read again. */
export interface AuditRecord {
  id: string;
  at: Date;
  key_id: string | null;
  client: string | null;
  actor: string;
  action: string;
  target: string | null;
  status: number | null;
  details: Record<string, unknown>;
}

const PAGE = 1_000;

/** The rows since then (null: all), the oldest first. */
export async function* readAudit(connection: AuditConnection, since: Date | null): AsyncGenerator<AuditRecord> {
  for (let after = '0'; ; ) {
    const { rows } = await connection.query(
      `SELECT id, at, key_id, client, actor, action, target, status, details FROM sluice.audit_log
       WHERE id > $1 AND ($2::timestamptz IS NULL OR at >= $2) ORDER BY id LIMIT ${PAGE}`,
      [after, since],
    );
    yield* rows as AuditRecord[];
    if (rows.length < PAGE) return;
    after = (rows.at(-1) as AuditRecord).id;
  }
}
