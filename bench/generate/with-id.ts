// `id_event`: `user_event` with an id. As in life, some senders make up random ids and some count.
import { readFile } from 'node:fs/promises';
import { goodLines } from '../generate.ts';
import { random, uuid } from './random.ts';

export type Ids = 'random' | 'sequential';

/** `user_event` with a member `event_id`, a uuid that is the event's id. */
export async function idSchema(): Promise<object> {
  const schema = JSON.parse(await readFile('schemas/user_event/1.0.0.json', 'utf8'));
  schema.properties = { event_id: { type: 'string', format: 'uuid', 'x-id': true }, ...schema.properties };
  schema.required = ['event_id', ...schema.required];
  return schema;
}

/** Lines with their line endings, no id twice. */
export function* idLines(lines: number, seed: number, ids: Ids): Generator<string> {
  const next = random(seed + 1);
  let index = 0;
  for (const line of goodLines(lines, seed)) {
    const id = ids === 'random' ? uuid(next) : `018c0000-0000-7000-8000-${(index++).toString(16).padStart(12, '0')}`;
    yield `{"event_id":"${id}",${line.slice(1)}\n`;
  }
}
