// A server with two subjects and what is asked of its quarantine, for the tests of src/quarantine.
import type { Test } from 'tap';
import { type Answer, get } from '../helpers/http.ts';
import type { ServerOptions } from '../helpers/server.ts';
import { closed, integer, type Running, running, string } from '../registry/registry.ts';

export interface Quarantine extends Running {
  /** POST /v1/rejections/replay; text goes as it is. */
  replay(order: object | string): Promise<Answer>;
  /** GET /v1/rejections with these parameters. */
  list(parameters?: Record<string, string>): Promise<Answer>;
  /** Raw NDJSON. */
  upload(body: string | Buffer, query?: string): Promise<Answer>;
  /** Values of a column of a table, in order, as text. */
  stored(table: string, column: string): Promise<string[]>;
}

const VISIT = closed({ a: integer }, 'a');
/** What makes {@link VISIT} take a further property. */
export const VISIT_MORE = closed({ a: integer, b: string }, 'a');

export async function quarantine(t: Test, options: ServerOptions = {}): Promise<Quarantine> {
  const files = {
    'visit/1.0.0.json': VISIT,
    'order/1.0.0.json': closed({ n: { type: 'number' }, id: { ...string, 'x-id': true } }, 'id'),
  };
  const run = await running(t, files, options);
  const { server, database, send } = run;
  return {
    ...run,
    replay: (order) => send('/v1/rejections/replay', order),
    list: (parameters = {}) => get(server, `/v1/rejections?${new URLSearchParams(parameters)}`),
    upload: async (body, query = '') => {
      const response = await fetch(`${server.url}/v1/events${query}`, {
        method: 'POST',
        body: body as string,
        headers: { 'content-type': 'application/x-ndjson' },
        signal: AbortSignal.timeout(60_000),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, text, json: JSON.parse(text) };
    },
    stored: async (table, column) =>
      (await database.query<{ value: string }>(`SELECT ${column}::text AS value FROM events.${table} ORDER BY 1`)).map(
        ({ value }) => value,
      ),
  };
}
