// API keys in Postgres: made, replaced, revoked, listed. The secret passes through here once, on its way to whoever
// asked for the key.
import { randomUUID } from 'node:crypto';
import { StartError } from '../errors.ts';
import type { Scope } from './client.ts';
import { newKey } from './key.ts';

/** What is used of a pg connection. */
export interface Connection {
  // biome-ignore lint/suspicious/noExplicitAny: rows are named by each statement
  query(text: string, values?: unknown[]): Promise<{ rows: any[] }>;
}

export interface KeyOrder {
  name: string;
  scopes: readonly Scope[];
  /** null: all. */
  subjects: readonly string[] | null;
  /** null: never. */
  expiresAt: Date | null;
  /** null: as the server is set; 0: no limit. */
  requestsPerS: number | null;
  bytesPerS: number | null;
  uploads: number | null;
}

/** A key as it is stored, without its hash. */
export interface StoredKey extends KeyOrder {
  id: string;
  client: string;
  createdAt: Date;
  revokedAt: Date | null;
}

/** A key that has just been made. */
export interface MadeKey extends StoredKey {
  /** The whole key: it cannot be read again. */
  key: string;
}

export type KeyState = 'live' | 'expired' | 'revoked';

/** Keys of one client that may be live at once: the one in use, and the one that is to replace it. */
const MOST_LIVE = 2;

const COLUMNS = `id, client, name, scopes, subjects, requests_per_s, bytes_per_s, uploads, created_at, expires_at,
  revoked_at`;

/** Makes a key for a new client. */
export function createKey(connection: Connection, order: KeyOrder): Promise<MadeKey> {
  return insertKey(connection, randomUUID(), order);
}

/**
 * Makes a second key for the client of the key `id`, with its rights and limits.
 * @throws {StartError} there is no such key, or the client has two live ones
 */
export async function rotateKey(connection: Connection, id: string, expiresAt: Date | null): Promise<MadeKey> {
  const old = await readKey(connection, id);
  // Two that rotate at once would both count one live key.
  await connection.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`sluice key ${old.client}`]);
  const { rows } = await connection.query(
    `SELECT id FROM sluice.api_keys
     WHERE client = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
     ORDER BY created_at, id`,
    [old.client],
  );
  if (rows.length >= MOST_LIVE) {
    throw new StartError(
      `the client of key ${id} has ${MOST_LIVE} live keys already: revoke one first, e.g. "sluice keys revoke ${rows[0].id}"`,
    );
  }
  return insertKey(connection, old.client, { ...old, expiresAt });
}

/**
 * Revokes a key.
 * @returns false where that had been done before
 * @throws {StartError} there is no such key
 */
export async function revokeKey(connection: Connection, id: string): Promise<boolean> {
  const { rows } = await connection.query(
    'UPDATE sluice.api_keys SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL RETURNING id',
    [id],
  );
  if (rows.length === 0) await readKey(connection, id);
  return rows.length > 0;
}

/** All keys, the newest first. */
export async function listKeys(connection: Connection): Promise<StoredKey[]> {
  const { rows } = await connection.query(`SELECT ${COLUMNS} FROM sluice.api_keys ORDER BY created_at DESC, id`);
  return rows.map(storedKey);
}

export function stateOf({ revokedAt, expiresAt }: StoredKey, now = new Date()): KeyState {
  if (revokedAt !== null) return 'revoked';
  return expiresAt !== null && expiresAt <= now ? 'expired' : 'live';
}

async function readKey(connection: Connection, id: string): Promise<StoredKey> {
  const { rows } = await connection.query(`SELECT ${COLUMNS} FROM sluice.api_keys WHERE id = $1`, [id]);
  if (rows.length === 0) throw new StartError(`there is no key ${id}: "sluice keys list" names them`);
  return storedKey(rows[0]);
}

async function insertKey(connection: Connection, client: string, order: KeyOrder): Promise<MadeKey> {
  const { id, text, hash } = newKey();
  const { name, scopes, subjects, expiresAt, requestsPerS, bytesPerS, uploads } = order;
  const { rows } = await connection.query(
    `INSERT INTO sluice.api_keys
       (id, client, name, hash, scopes, subjects, requests_per_s, bytes_per_s, uploads, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING ${COLUMNS}`,
    [id, client, name, hash, scopes, subjects, requestsPerS, bytesPerS, uploads, expiresAt],
  );
  return { ...storedKey(rows[0]), key: text };
}

// biome-ignore lint/suspicious/noExplicitAny: a row of COLUMNS
function storedKey(row: any): StoredKey {
  return {
    id: row.id,
    client: row.client,
    name: row.name,
    scopes: row.scopes,
    subjects: row.subjects,
    requestsPerS: figure(row.requests_per_s),
    bytesPerS: figure(row.bytes_per_s),
    uploads: figure(row.uploads),
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    revokedAt: row.revoked_at,
  };
}

/** pg hands bigint on as text. */
function figure(value: string | number | null): number | null {
  return value === null ? null : Number(value);
}
