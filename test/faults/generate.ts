// Uploads made from a seed, each with what has to become of every line. Two subjects are in them: `order`, whose events have an id,
// and `visit`, whose events have none. Every row's note names its upload and line, so that no two rows are equal.
import { createHash } from 'node:crypto';
import type { Expected, LedgerLine } from './ledger.ts';
import { type Random, seeded } from './random.ts';

export const SUBJECTS = ['order', 'visit'] as const;
export type Subject = (typeof SUBJECTS)[number];

const common = { note: { type: 'string' }, amount: { type: 'integer' } };

/** The folder's files, as `schemaFolder` takes them. */
export const SCHEMAS = {
  'order/1.0.0.json': {
    type: 'object',
    additionalProperties: false,
    required: ['id', 'note', 'amount'],
    properties: { id: { type: 'integer', 'x-id': true }, ...common },
  },
  'visit/1.0.0.json': {
    type: 'object',
    additionalProperties: false,
    required: ['note', 'amount'],
    properties: common,
  },
  // For uploads so large that no ledger is kept of them.
  'bulk/1.0.0.json': {
    type: 'object',
    additionalProperties: false,
    required: ['note'],
    properties: { note: { type: 'string' } },
  },
};

/** In SQL what {@link rowHash} is here. */
export const ROW_HASH: Record<Subject, string> = {
  order: `encode(sha256(convert_to(id || '|' || note || '|' || amount, 'UTF8')), 'hex')`,
  visit: `encode(sha256(convert_to('|' || note || '|' || amount, 'UTF8')), 'hex')`,
};

function rowHash(id: number | null, note: string, amount: number): string {
  return createHash('sha256')
    .update(`${id ?? ''}|${note}|${amount}`)
    .digest('hex');
}

export interface Upload {
  id: string;
  subject: Subject;
  key: string | null;
  query: Record<string, string>;
  body: Buffer;
  lines: LedgerLine[];
}

/** What is asked of an upload; what is absent is left to chance. */
export interface Wish {
  subject?: Subject;
  /** `large`: more rows than wait in memory, so that they go to the stage in chunks. */
  size?: 'small' | 'large';
  hasKey?: boolean;
  /** Share of bad lines. */
  bad?: number;
  /** Bad whatever the share says. */
  badAt?: 'first' | 'last';
  /** Ids to be taken in this order instead of fresh ones; others may send them too. */
  ids?: readonly number[];
  /** One bad line costs the whole upload. */
  isAborting?: boolean;
  lines?: number;
}

const BAD: [code: string, spoil: (good: string) => Buffer | string][] = [
  ['invalid_json', (good) => good.slice(0, -1)],
  ['invalid_json', () => '{"note":'],
  ['not_an_object', (good) => `[${good}]`],
  ['not_an_object', () => 'null'],
  ['schema_violation', (good) => good.replace(/"amount":\d+/, '"amount":"1"')],
  ['schema_violation', (good) => good.replace(/,"amount":\d+/, '')],
  ['schema_violation', (good) => good.replace('{', '{"surprise":true,')],
  ['duplicate_key', (good) => good.replace('{', '{"amount":7,')],
  ['unstorable_value', (good) => good.replace('"note":"', '"note":"\\u0000')],
  ['invalid_utf8', (good) => Buffer.from(good.replace('"note":"', '"note":"\xff'), 'latin1')],
];

/** Bytes of a note in a large upload: 2,300 of them are more than 4 MiB. */
const LARGE_NOTE = 2_000;
const LARGE_LINES = 2_300;

export class Generator {
  readonly #random: Random;
  readonly #name: string;
  #uploads = 0;
  #nextId = 1;
  /** Ids that several uploads send. */
  readonly #shared: number[] = [];
  readonly #stored: number[] = [];

  constructor(seed: number) {
    this.#random = seeded(seed);
    this.#name = `s${seed}`;
  }

  /** Notes ids that are known to be stored: events that come with one of them later are duplicates. */
  stored(ids: Iterable<number>): void {
    for (const id of ids) if (this.#stored.length < 500) this.#stored.push(id);
  }

  upload(wish: Wish = {}): Upload {
    const random = this.#random;
    const id = `${this.#name}-${++this.#uploads}`;
    const subject = wish.subject ?? random.pick(SUBJECTS);
    const isLarge = (wish.size ?? (random.chance(0.1) ? 'large' : 'small')) === 'large';
    const count = wish.lines ?? (isLarge ? LARGE_LINES : random.int(1, 40));
    const share = wish.bad ?? random.pick([0, 0, 0.05, 0.5, 1]);
    const draft: Draft = { lines: [], parts: [], used: new Set() };
    for (let line = 1; line <= count; line++) {
      const isBad =
        random.chance(share) || (wish.badAt === 'first' && line === 1) || (wish.badAt === 'last' && line === count);
      if (wish.bad === undefined && wish.lines === undefined && line > 1 && random.chance(0.02)) this.#blank(draft);
      else this.#event(draft, { upload: id, subject, isBad, size: isLarge ? LARGE_NOTE : 10, ids: wish.ids });
    }
    const isAborting = wish.isAborting ?? (share > 0 && random.chance(0.1));
    const { lines } = draft;
    if (isAborting && lines.some(({ expected }) => expected === 'reject')) abort(lines);
    const hasKey = wish.hasKey ?? random.chance(0.8);
    return {
      id,
      subject,
      key: hasKey ? `key-${id}` : null,
      query: { schema: subject, ...(isAborting ? { on_error: 'abort' } : {}) },
      body: Buffer.concat(draft.parts),
      lines,
    };
  }

  #blank({ lines, parts }: Draft): void {
    lines.push({ line: lines.length + 1, id: null, expected: 'blank', code: null, hash: null });
    parts.push(Buffer.from('\n'));
  }

  #event({ lines, parts, used }: Draft, options: EventOptions): void {
    const random = this.#random;
    const line = lines.length + 1;
    const [id, expected] = options.subject === 'order' ? this.#id(used, options.ids?.[line - 1]) : NO_ID;
    const note = `${options.upload}:${line} ${random.pick(FILLERS).repeat(options.size)}`;
    const amount = random.int(0, 1_000_000);
    const good = JSON.stringify(id === null ? { note, amount } : { id, note, amount });
    if (options.isBad) {
      const [code, spoil] = random.pick(BAD);
      parts.push(Buffer.concat([Buffer.from(spoil(good)), NEWLINE]));
      lines.push({ line, id: null, expected: 'reject', code, hash: null });
      return;
    }
    if (id !== null) used.add(id);
    parts.push(Buffer.from(`${good}\n`));
    lines.push({ line, id, expected, code: null, hash: rowHash(id, note, amount) });
  }

  #id(used: ReadonlySet<number>, given: number | undefined): [number, Expected] {
    const random = this.#random;
    if (given !== undefined) return [given, used.has(given) ? 'duplicate' : 'either'];
    const die = random.next();
    if (die < 0.02 && used.size > 0) return [random.pick([...used]), 'duplicate'];
    if (die < 0.04 && this.#stored.length > 0) return [random.pick(this.#stored), 'duplicate'];
    if (die < 0.1) {
      const id =
        this.#shared.length > 20 || (this.#shared.length > 0 && die < 0.08) ? random.pick(this.#shared) : this.#fresh();
      if (!this.#shared.includes(id)) this.#shared.push(id);
      return [id, used.has(id) ? 'duplicate' : 'either'];
    }
    return [this.#fresh(), 'accept'];
  }

  #fresh(): number {
    return this.#nextId++;
  }
}

interface Draft {
  lines: LedgerLine[];
  parts: Buffer[];
  /** Ids of good lines so far. */
  used: Set<number>;
}

interface EventOptions {
  upload: string;
  subject: Subject;
  isBad: boolean;
  /** Characters of filler in the note. */
  size: number;
  ids: readonly number[] | undefined;
}

const NO_ID: [null, Expected] = [null, 'accept'];
const NEWLINE = Buffer.from('\n');
const FILLERS = ['a', 'ß', '.', ' '];

/** Nothing of it is kept: its good lines are rejected too. */
function abort(lines: LedgerLine[]): void {
  for (const line of lines) {
    if (line.expected === 'reject' || line.expected === 'blank') continue;
    Object.assign(line, { expected: 'reject', code: 'batch_aborted', hash: null });
  }
}
