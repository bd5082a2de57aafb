// Arrays, maps, unions, and what no schema declares: jsonb holds them as Postgres itself would, number by number.
import fc from 'fast-check';
import t from 'tap';
import { compare } from './compare.ts';
import { numbers, quoted, strings } from './texts.ts';

const KEYS = ['', 'a', 'b', 'aa', '__proto__', 'constructor', 'é', '😀', '\uffff', '\ud800', 'a\0', '1', '10', '2'];
const key = quoted(
  fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom(...KEYS.slice(0, 9)) },
    { weight: 2, arbitrary: fc.constantFrom(...KEYS) },
    { weight: 1, arbitrary: strings },
  ),
);
const space = fc.constantFrom('', '', '', ' ', '\t ');

const { value } = fc.letrec<{ value: string; scalar: string; array: string; object: string }>((tie) => ({
  value: fc.oneof({ maxDepth: 4, depthSize: 'small' }, tie('scalar'), tie('array'), tie('object')),
  scalar: fc.oneof(
    { weight: 4, arbitrary: numbers.filter((text) => !/999999999/.test(text)) },
    { weight: 2, arbitrary: quoted(fc.string({ maxLength: 20 })) },
    { weight: 1, arbitrary: quoted(strings) },
    { weight: 1, arbitrary: fc.constantFrom('true', 'false', 'null', '[]', '{}') },
  ),
  array: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
    .map(([values, gap]) => `[${gap}${values.join(`${gap},`)}]`),
  object: fc
    .tuple(fc.array(fc.tuple(key, tie('value')), { maxLength: 4 }), space)
    .map(([members, gap]) => `{${members.map(([name, text]) => `${name}${gap}:${gap}${text}`).join(`${gap},`)}${gap}}`),
}));
const nested = fc
  .tuple(fc.integer({ min: 1, max: 150 }), fc.constantFrom('[', '{"a":'), value)
  .map(([depth, open, text]) => `${open.repeat(depth)}${text}${(open === '[' ? ']' : '}').repeat(depth)}`);
const values = fc.oneof({ weight: 40, arbitrary: value }, { weight: 1, arbitrary: nested });

/** Postgres keeps the last of two equal keys: that is a change. `json` shows both, jsonb one. */
const COUNT_KEYS = `(SELECT count(*) FROM regexp_matches(regexp_replace(%s, '"(?:[^"\\\\]|\\\\.)*"(\\s*:)?', '\\1', 'g'), ':', 'g'))`;
const count = (text: string) => COUNT_KEYS.replace('%s', text);
const READS = `CASE WHEN ${count('doc')} = ${count('doc::jsonb::text')} THEN (doc::jsonb -> 'v')::text END`;

/** As jsonb has it: 1.50 and 1.5 are one value, and no digit may differ. */
const SAME = 'read::jsonb = stored::jsonb';

t.test('jsonb: arrays, maps and unions are stored as Postgres reads them, or refused', async (t) => {
  await compare(t, 'jsonb', { schema: {}, values, reads: READS, isSame: SAME, stored: "coalesce(v, 'null')::text" });
});

t.test('_extra: what is not declared is stored as Postgres reads it, or refused', async (t) => {
  await compare(t, '_extra', {
    schema: {},
    undeclared: true,
    values,
    reads: READS,
    isSame: SAME,
    stored: "(_extra -> 'v')::text",
  });
});
