// Text, ids, uuids, booleans.
import fc from 'fast-check';
import t from 'tap';
import { BOOLEAN, compare } from './compare.ts';
import { quoted, strings } from './texts.ts';

const TEXT = `doc::jsonb ->> 'v'`;

t.test('text: every character is stored, or the value is refused', async (t) => {
  await compare(t, 'text', { schema: { type: 'string' }, values: quoted(strings), reads: TEXT, stored: 'v' });
});

t.test('an id: what is accepted fits into a unique index', async (t) => {
  const lengths = fc.oneof(
    { weight: 30, arbitrary: fc.nat(60) },
    { weight: 1, arbitrary: fc.integer({ min: 2_580, max: 2_620 }) },
  );
  const long = fc.tuple(lengths, fc.constantFrom('a', 'é', '€', '😀'), fc.nat(2 ** 30)).map(([bytes, unit, number]) => {
    const random = String(number);
    const count = Math.max(0, Math.floor((bytes - random.length) / Buffer.byteLength(unit)));
    return random + unit.repeat(count);
  });
  const incompressible = fc
    .tuple(fc.integer({ min: 2_550, max: 2_650 }), fc.nat(2 ** 30))
    .map(([length, seed]) => noise(length, seed));
  await compare(t, 'id', {
    schema: { type: 'string', 'x-id': true },
    values: quoted(
      fc.oneof(
        { weight: 20, arbitrary: strings },
        { weight: 10, arbitrary: long },
        { weight: 1, arbitrary: incompressible },
      ),
    ),
    reads: TEXT,
    stored: 'v',
    stricter: [
      {
        reason:
          'beyond 2,600 bytes an id fits into the index only if it can be compressed: nobody could tell beforehand',
        isMeant: (text) => Buffer.byteLength(JSON.parse(text)) > 2_600,
      },
    ],
  });
});

/** Letters in which no compression finds a pattern, the same for the same seed. */
function noise(length: number, seed: number): string {
  let state = seed + 1;
  return Array.from({ length }, () => {
    state = (state * 48_271) % 2_147_483_647;
    return String.fromCharCode(33 + (state % 94));
  }).join('');
}

t.test('uuid: stored as Postgres reads it, or refused', async (t) => {
  const hex = (length: number) =>
    fc.string({ unit: fc.constantFrom(...'0123456789abcdefABCDEF'), minLength: length, maxLength: length });
  const uuid = fc.tuple(hex(8), hex(4), hex(4), hex(4), hex(12)).map((parts) => parts.join('-'));
  const odd = fc
    .tuple(
      uuid,
      fc.constantFrom('urn:uuid:', 'URN:UUID:', 'Urn:Uuid:', '{', ' ', 'urn:uuid:urn:uuid:'),
      fc.constantFrom('', '}', ' ', '\n'),
    )
    .map(([text, before, after]) => `${before}${text}${after}`);
  const bare = uuid.map((text) => text.replaceAll('-', ''));
  await compare(t, 'uuid', {
    schema: { type: 'string', format: 'uuid' },
    values: quoted(
      fc.oneof({ weight: 8, arbitrary: uuid }, { weight: 1, arbitrary: odd }, { weight: 1, arbitrary: bare }),
    ),
    reads: `(doc::jsonb ->> 'v')::uuid::text`,
    stored: 'v::text',
  });
});

t.test('boolean: true is true and false is false, whatever stands around it', async (t) => {
  const space = fc.string({ unit: fc.constantFrom(' ', '\t', '\r'), maxLength: 20 });
  await compare(t, 'boolean', {
    schema: BOOLEAN,
    values: fc.tuple(space, fc.constantFrom('true', 'false'), space).map((parts) => parts.join('')),
    reads: `(doc::jsonb ->> 'v')::boolean::text`,
    stored: 'v::text',
  });
});
