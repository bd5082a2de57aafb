// Numbers, dates and formats read from bytes: exactly what JSON.parse, ajv-formats and Postgres's numbers make of them.
import t from 'tap';
import { readDate, readTimestamp } from '../../../src/lines/scan/dates.ts';
import { copyUuid, endOfEmail, endOfUuid } from '../../../src/lines/scan/formats.ts';
import { Names } from '../../../src/lines/scan/names.ts';
import { readDouble, readInteger } from '../../../src/lines/scan/numbers.ts';
import { Slots } from '../../../src/lines/scan/slots.ts';
import { type Instant, parseDate, parseTimestamp } from '../../../src/lines/time.ts';
import { FORMATS } from '../../../src/schema/formats.ts';
import { damaged, Random } from './texts.ts';

const SEED = Number(process.env.SCAN_SEED ?? 20_261_121);
const RUNS = 100_000;

const slots = new Slots(1);
const random = new Random(SEED);
const digits = (most: number) => String(random.below(10 ** (1 + random.below(most)))).padStart(random.below(4), '0');
const is = (format: string, text: string) => (FORMATS[format] as (text: string) => boolean)(text);

/** The int8 in the slot. */
const whole = () => BigInt(slots.high[0]!) * 2n ** 32n + BigInt(slots.low[0]! >>> 0);

t.comment(`SCAN_SEED=${SEED}`);

t.test('a number is the double that JSON.parse gives, to the last bit', (t) => {
  let read = 0;
  const wrong: string[] = [];
  for (let run = 0; run < RUNS; run++) {
    const sign = random.pick(['', '', '-']);
    const fraction = random.chance(0.7) ? `.${digits(14)}` : '';
    const exponent = random.chance(0.4) ? `${random.pick(['e', 'E'])}${random.pick(['', '+', '-'])}${digits(2)}` : '';
    const text = `${sign}${digits(14)}${fraction}${exponent}`;
    const bytes = damagedSometimes(text);
    const end = readDouble(bytes, 0, slots, 0);
    if (end !== bytes.length - 1) continue;
    read++;
    if (!Object.is(slots.number[0], parsed(bytes))) wrong.push(bytes.toString());
  }
  t.strictSame(wrong.slice(0, 5), [], `${read} of ${RUNS} were read`);
  t.ok(read > RUNS / 4);
  t.end();
});

t.test('an integer is the one that JSON.parse gives, as the two words of an int8', (t) => {
  let read = 0;
  const wrong: string[] = [];
  for (let run = 0; run < RUNS; run++) {
    const bytes = damagedSometimes(`${random.pick(['', '-'])}${digits(16)}`);
    const end = readInteger(bytes, 0, slots, 0);
    if (end !== bytes.length - 1) continue;
    read++;
    const value = parsed(bytes);
    if (slots.number[0] !== value || Object.is(value, -0) || whole() !== BigInt(value as number))
      wrong.push(bytes.toString());
  }
  t.strictSame(wrong.slice(0, 5), [], `${read} of ${RUNS} were read`);
  t.ok(read > RUNS / 2);
  t.end();
});

t.test('a date-time and a date are valid, and the instants and days that Postgres stores', (t) => {
  const two = (limit: number) => String(random.below(limit)).padStart(2, '0');
  const instant: Instant = { seconds: 0, micros: 0 };
  let read = 0;
  const wrong: string[] = [];
  for (let run = 0; run < RUNS; run++) {
    const year = random.pick(['0000', '0001', '1700', '1900', '2000', '2023', '2024', '2300', '9999', `20${two(100)}`]);
    const date = `${year}-${two(14)}-${two(33)}`;
    const fraction = random.chance(0.5) ? `.${digits(11)}` : '';
    const zone = random.pick(['Z', 'Z', 'z', '', `+${two(18)}:${two(62)}`, `-${two(18)}:${two(62)}`, '+05', '+0530']);
    const time = `${date}${random.pick(['T', 'T', 'T', 't', ' '])}${two(25)}:${two(61)}:${two(61)}${fraction}${zone}`;
    for (const bytes of [damagedSometimes(`"${time}"`), damagedSometimes(`"${date}"`)]) {
      const text = bytes.toString('utf8', 1, bytes.length - 2);
      if (readTimestamp(bytes, 0, slots, 0) === bytes.length - 1) {
        read++;
        const isStored = is('date-time', text) && parseTimestamp(text, instant) === undefined;
        if (!isStored || whole() !== BigInt(instant.seconds) * 1_000_000n + BigInt(instant.micros)) wrong.push(text);
      }
      if (readDate(bytes, 0, slots, 0) === bytes.length - 1) {
        read++;
        if (!is('date', text) || parseDate(text) !== slots.low[0]) wrong.push(text);
      }
    }
  }
  t.strictSame(wrong.slice(0, 5), [], `${read} of ${2 * RUNS} were read`);
  t.ok(read > RUNS / 4);
  t.end();
});

t.test('addresses and UUIDs are valid where they are taken', (t) => {
  let read = 0;
  const wrong: string[] = [];
  const hex = (length: number) => Array.from({ length }, () => random.pick([...'0123456789abcdefABCDEF'])).join('');
  const label = () => random.pick(['a', 'b-c', '0', "x'y", '-', 'a-', '', 'é', 'zz9']);
  const out = Buffer.alloc(16);
  for (let run = 0; run < RUNS; run++) {
    const address = damagedSometimes(
      `"${label()}${random.pick(['.', '+', ''])}${label()}@${label()}${random.pick(['.', ''])}${label()}"`,
    );
    const text = (bytes: Buffer) => bytes.toString('utf8', 1, bytes.length - 2);
    // Of what is left of one that was damaged, nothing may be left.
    if (address.length > 2 && endOfEmail(address, 1) === address.length - 2) {
      read++;
      if (!is('email', text(address))) wrong.push(text(address));
    }
    const uuid = damagedSometimes(`"${[8, 4, 4, 4, 12].map(hex).join('-')}"`);
    if (uuid.length > 2 && endOfUuid(uuid, 1) === uuid.length - 2) {
      read++;
      copyUuid(uuid, 1, out, 0);
      const isSame = out.toString('hex') === text(uuid).replaceAll('-', '').toLowerCase();
      if (!is('uuid', text(uuid)) || !isSame) wrong.push(text(uuid));
    }
  }
  t.strictSame(wrong.slice(0, 5), [], `${read} of ${2 * RUNS} were read`);
  t.ok(read > RUNS / 2);
  t.end();
});

t.test('a name is found by its bytes, and no other is found for it', (t) => {
  const texts = [
    '',
    'a',
    'b',
    'ab',
    'ba',
    'aXb',
    'aYb',
    'é',
    '日本',
    ...Array.from({ length: 500 }, (_, at) => `name_${at}_x`),
  ];
  const names = new Names(texts);
  for (const [index, text] of texts.entries()) {
    const bytes = Buffer.from(`"${text}":`);
    if (names.find(bytes, 1, bytes.length - 2) !== index) t.fail(text);
  }
  for (const text of ['c', 'aZb', 'name_500_x', 'name_1_y', 'e', '日', 'ab\0']) {
    const bytes = Buffer.from(text);
    t.equal(names.find(bytes, 0, bytes.length), -1, JSON.stringify(text));
  }
  t.end();
});

/** With what follows a value behind it. */
function damagedSometimes(text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([random.chance(0.2) ? damaged(bytes, random) : bytes, Buffer.from(',')]);
}

function parsed(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8', 0, bytes.length - 1));
  } catch {
    return undefined;
  }
}
