// What a real Postgres makes of a text, to hold stored values against.
import type { TestDatabase } from '../helpers/postgres.ts';

/**
 * Casts a text to a type.
 * @returns the value as Postgres prints it, or the SQLSTATE with which it refuses
 */
export async function postgresSays(query: TestDatabase['query'], text: string, type: string): Promise<string> {
  try {
    const [row] = await query<{ value: string }>(`SELECT $1::text::${type}::text AS value`, [text]);
    return row!.value;
  } catch (error) {
    return `refused ${(error as { code?: string }).code}`;
  }
}
