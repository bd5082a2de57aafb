// API keys for tests, made as `sluice keys create` makes them, and requests that show one.
import { createKey, type KeyOrder, type MadeKey } from '../../src/access/stored-keys.ts';
import type { TestDatabase } from './postgres.ts';

/** A key with all scopes and no limits, but for what `order` says. The tables have to be there. */
export function makeKey({ query }: TestDatabase, order: Partial<KeyOrder> = {}): Promise<MadeKey> {
  const connection = { query: async (text: string, values?: unknown[]) => ({ rows: await query(text, values) }) };
  return createKey(connection, {
    name: 'test',
    scopes: ['admin'],
    subjects: null,
    expiresAt: null,
    requestsPerS: 0,
    bytesPerS: 0,
    uploads: 0,
    ...order,
  });
}

/** The header that shows a key. */
export function bearer({ key }: { key: string }): { authorization: string } {
  return { authorization: `Bearer ${key}` };
}
