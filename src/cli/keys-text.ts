// What `sluice keys` prints. Strings only; of a key nothing but its id.
import { type MadeKey, type StoredKey, stateOf } from '../access/stored-keys.ts';
import { visible } from '../visible.ts';

/** A key for programs, without its secret. */
export function keyRecord(key: StoredKey): Record<string, unknown> {
  return {
    id: key.id,
    client: key.client,
    name: key.name,
    scopes: key.scopes,
    subjects: key.subjects,
    state: stateOf(key),
    created_at: key.createdAt,
    expires_at: key.expiresAt,
    revoked_at: key.revokedAt,
    requests_per_s: key.requestsPerS,
    bytes_per_s: key.bytesPerS,
    uploads: key.uploads,
  };
}

/** What stands beside a key that has just been made. */
export function madeText({ id, name, scopes, expiresAt }: MadeKey): string {
  const until = expiresAt === null ? 'it does not expire' : `it expires at ${expiresAt.toISOString()}`;
  return (
    `key ${id} of ${visible(name)} (${scopes.join(', ')}), ${until}. Keep it: it is shown only now.\n` +
    'It is sent as "Authorization: Bearer KEY"; sluice load and replay read it from SLUICE_API_KEY.\n'
  );
}

const HEAD = ['id', 'state', 'name', 'scopes', 'subjects', 'created', 'expires'];

/** A table for people. */
export function keyListText(keys: readonly StoredKey[]): string {
  if (keys.length === 0) return 'there are no keys: "sluice keys create --name NAME --scope ingest" makes one\n';
  const rows = keys.map((key) => [
    key.id,
    stateOf(key),
    visible(key.name),
    key.scopes.join(','),
    key.subjects === null ? 'all' : key.subjects.join(','),
    key.createdAt.toISOString().slice(0, 10),
    key.expiresAt?.toISOString().slice(0, 16).concat('Z') ?? 'never',
  ]);
  const widths = HEAD.map((head, column) => Math.max(head.length, ...rows.map((row) => [...row[column]!].length)));
  return [HEAD, ...rows]
    .map((row) => row.map((cell, column) => cell + ' '.repeat(widths[column]! - [...cell].length)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
