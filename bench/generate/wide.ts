// `wide_event`: what a shop's checkout might send. About 1 kB in 30 members at three levels, among them every type of
// column, members that may be null or missing, and one array of objects, which becomes jsonb. As in life, a part of the
// lines has letters beyond ASCII, a part has escapes, and a few come from a writer that escapes every such letter.
import { pick, random, time, uuid } from './random.ts';

const text = (maxLength: number): object => ({ type: 'string', maxLength });
const maybe = (type: string): object => ({ type: [type, 'null'] });

/** An object whose members are all required, but for those named. */
function object(properties: Record<string, object>, optional: readonly string[] = []): object {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: 'object', properties, required, additionalProperties: false };
}

export const WIDE_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Wide event',
  ...object(
    {
      event_id: { type: 'string', format: 'uuid' },
      kind: { type: 'string', enum: ['view', 'cart', 'order', 'refund'] },
      occurred_at: { type: 'string', format: 'date-time' },
      received_at: { type: ['string', 'null'], format: 'date-time' },
      day: { type: 'string', format: 'date' },
      user: object(
        {
          id: { type: 'integer', minimum: 0 },
          email: { type: 'string', format: 'email' },
          name: text(200),
          age: maybe('integer'),
          is_member: { type: 'boolean' },
          address: object({ street: text(200), city: text(200), zip: text(20), country: text(2) }),
        },
        ['age'],
      ),
      page: object({ url: text(400), referrer: maybe('string') }),
      device: object(
        {
          agent: text(400),
          screen_width: { type: 'integer' },
          screen_height: { type: 'integer' },
          scale: { type: 'number' },
          is_touch: { type: 'boolean' },
          language: text(20),
        },
        ['language'],
      ),
      order: object(
        {
          number: text(40),
          total: { type: 'number' },
          currency: text(3),
          shipping: maybe('number'),
          ships_on: { type: ['string', 'null'], format: 'date' },
          is_gift: { type: 'boolean' },
          comment: maybe('string'),
        },
        ['shipping', 'comment'],
      ),
      items: {
        type: 'array',
        items: object({ sku: text(40), quantity: { type: 'integer' }, price: { type: 'number' } }),
      },
    },
    ['received_at'],
  ),
};

const FIRST = ['Ada', 'Grace', 'Edsger', 'Barbara', 'Donald', 'Radia', 'Tony', 'Frances'];
const LAST = ['Lovelace', 'Hopper', 'Dijkstra', 'Liskov', 'Knuth', 'Perlman', 'Hoare', 'Allen'];
const FOREIGN = ['Zoë Müller', 'José Núñez', 'Łukasz Żak', '渡辺 明', 'Σοφία Παππά', 'Jürgen Groß', 'Анна Иванова'];
const CITIES = ['Amsterdam', 'Berlin', 'Chicago', 'Delhi', 'Edinburgh'];
const FOREIGN_CITIES = ['München', 'São Paulo', '東京', 'Kraków', 'Αθήνα'];
const KINDS = ['view', 'cart', 'order', 'refund'];
const AGENTS = [
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36',
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1',
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:132.0) Gecko/20100101 Firefox/132.0',
];
const COMMENTS = [
  'Please leave the parcel with the neighbours on the second floor.',
  'He said "ring twice" and nothing else.',
  'First line\nsecond line\twith a tab',
  'C:\\temp\\invoice.pdf is attached',
  'Call me before delivery, thank you 🙂',
];

/** Shares of the lines: letters beyond ASCII, and such letters written as escapes. */
const FOREIGN_SHARE = 0.25;
const ESCAPED_SHARE = 0.05;

/** Lines with their line endings. */
export function* wideLines(lines: number, seed: number): Generator<string> {
  const next = random(seed);
  for (let index = 0; index < lines; index++) {
    const line = JSON.stringify(wideEvent(index, next));
    yield `${next() < ESCAPED_SHARE ? escaped(line) : line}\n`;
  }
}

function wideEvent(index: number, next: () => number): object {
  const whole = (limit: number): number => Math.floor(next() * limit);
  const money = (limit: number): number => whole(limit * 100) / 100;
  const isForeign = next() < FOREIGN_SHARE;
  const when = time(next);
  const items = Array.from({ length: 2 + whole(3) }, () => {
    return { sku: `SKU-${String(whole(1e6)).padStart(6, '0')}`, quantity: 1 + whole(5), price: money(200) };
  });
  return {
    event_id: uuid(next),
    kind: pick(next, KINDS),
    occurred_at: when.replace('Z', `.${String(whole(1000)).padStart(3, '0')}Z`),
    ...(next() < 0.2 ? {} : { received_at: next() < 0.1 ? null : when.replace('Z', '+02:00') }),
    day: when.slice(0, 10),
    user: {
      id: whole(1e9),
      email: `user.${index}@example.com`,
      name: isForeign ? pick(next, FOREIGN) : `${pick(next, FIRST)} ${pick(next, LAST)}`,
      ...(next() < 0.3 ? {} : { age: next() < 0.2 ? null : 18 + whole(70) }),
      is_member: next() < 0.5,
      address: {
        street: `${1 + whole(400)} ${pick(next, LAST)} Street, ${1 + whole(9)}th floor`,
        city: pick(next, isForeign ? FOREIGN_CITIES : CITIES),
        zip: String(10_000 + whole(89_999)),
        country: pick(next, ['DE', 'NL', 'US', 'IN', 'GB']),
      },
    },
    page: {
      url: `https://shop.example.com/${pick(next, CITIES).toLowerCase()}/products/${whole(1e6)}?campaign=${uuid(next)}`,
      referrer: next() < 0.4 ? null : `https://search.example.org/?q=${pick(next, LAST)}+${whole(1e4)}`,
    },
    device: {
      agent: pick(next, AGENTS),
      screen_width: 320 + whole(2_000),
      screen_height: 480 + whole(1_000),
      scale: pick(next, [1, 1.25, 1.5, 2, 3]),
      is_touch: next() < 0.4,
      ...(next() < 0.1 ? {} : { language: pick(next, ['en', 'en-GB', 'de-DE', 'nl']) }),
    },
    order: {
      number: `A-${index}-${whole(1e6)}`,
      total: money(2_000),
      currency: pick(next, ['EUR', 'USD', 'GBP']),
      ...(next() < 0.3 ? {} : { shipping: next() < 0.3 ? null : money(20) }),
      ships_on: next() < 0.2 ? null : when.slice(0, 10),
      is_gift: next() < 0.1,
      ...(next() < 0.6 ? {} : { comment: next() < 0.2 ? null : pick(next, COMMENTS) }),
    },
    items,
  };
}

/** Every letter beyond ASCII as `\uXXXX`, as Python's json.dumps writes it. */
function escaped(line: string): string {
  return line.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
