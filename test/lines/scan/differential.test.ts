// The proof of the scanner: whatever it says yes to, JSON.parse, ajv and the encoder accept with the same bytes of row.
// And it does say yes to lines as most senders write them. SCAN_LINES is the number of lines a schema.
import fc from 'fast-check';
import t from 'tap';
import type { Validator } from '../../../src/schema/compile.ts';
import { loadFolder } from '../../../src/schema/folder.ts';
import { Registry, type SchemaVersion } from '../../../src/schema/registry.ts';
import { openVersions } from '../../schema/open.ts';
import { folderOf, githubWebhooks, sampleEvent, schemas } from '../../schema/schemas.ts';
import { BothWays, Score } from './both.ts';
import { SCHEMAS, VERSIONS } from './schemas.ts';
import { damaged, Random, type Spelling, Texts } from './texts.ts';

const LINES = Number(process.env.SCAN_LINES ?? 17_500);
const SEED = Number(process.env.SCAN_SEED ?? 20_261_121);

const COMMON: Spelling = { odd: false, wild: 0 };
const ODD: Spelling = { odd: true, wild: 0 };
const WILD: Spelling = { odd: true, wild: 0.08 };
const RARELY_WILD: Spelling = { odd: true, wild: 0.005 };

const SPELLINGS = {
  common: [COMMON],
  odd: [ODD],
  wild: [WILD, RARELY_WILD],
  damaged: [COMMON, ODD],
};

/** What stands before and behind the line in its block: nothing, other lines, another line's broken half, bad UTF-8. */
const AROUND = [
  ['', '\n'],
  ['', ''],
  ['{"a":1}\n', '\r\n{"b":2}\n'],
  ['[', ',"a":1}\n"b":2}'],
  ['\xff\n', '\n'],
  ['', '"}\n'],
].map((pair) => pair.map((text) => Buffer.from(text, 'latin1')) as [Buffer, Buffer]);

interface Scores {
  common: Score;
  odd: Score;
  wild: Score;
  damaged: Score;
}

function compareVersion(version: SchemaVersion, seed: number, lines: number, parameter = true): Scores {
  const both = new BothWays(new Registry([subjectOf(version)], []), parameter ? version : null);
  const random = new Random(seed);
  const texts = new Texts(version.bundle().schema, random);
  const scores: Scores = { common: new Score(), odd: new Score(), wild: new Score(), damaged: new Score() };
  for (let count = 0; count < lines; count++) {
    const kind = random.pick(['common', 'odd', 'wild', 'damaged'] as const);
    const spelling = random.pick(SPELLINGS[kind]);
    const event = texts.event(spelling);
    const text = Buffer.from(kind !== 'common' && random.chance(0.3) ? enveloped(event, version, random) : event);
    const line = kind === 'damaged' ? damaged(text, random) : text;
    const around = kind === 'common' ? AROUND[0]! : random.pick(AROUND);
    scores[kind].note(both.compare(line, around), `${version.id} ${kind}`, line);
  }
  return scores;
}

/** The event with a `$schema` first, last, or both, which is its version, another one, or none. */
function enveloped(event: string, { subject, id }: SchemaVersion, random: Random): string {
  const name = () =>
    `"$schema":${random.pick([`"${id}"`, `"${id}"`, `"${subject}"`, `"/${subject}/1"`, '"nobody"', '"a\\"b"', '1'])}`;
  const first = event.replace(/^\{(?!\s*\})/, () => `{${name()},`);
  const last = (text: string) => text.replace(/(?<!\{\s*)\}$/, () => `,${name()}${random.pick(['', '', '', ' '])}}`);
  return random.pick([first, last(event), last(event), last(first)]);
}

function subjectOf(version: SchemaVersion) {
  const settings = { compatibility: 'NONE', policy: 'strict' } as const;
  return { name: version.subject, settings, versions: [version], latest: version };
}

t.comment(`SCAN_SEED=${SEED}`);

t.test(
  'a `$schema` at either end of the line chooses the scanner, or is passed over where it has no say',
  async (t) => {
    const registry = await loadFolder('schemas');
    const event = '"event_type":1,"event_time":"2026-01-02T03:04:05Z","processing_date":"2026-01-02"';
    const data = '"data":{"user_email":"a@example.com","phone_number":"\\"1\\""';
    const named = '"$schema":"user_event/1.0.0"';
    const good = [`{${event},${data}}}`, `{${named},${event},${data}}}`, `{${event},${data}},${named}}`];
    const other = [
      [`{${event},${data},${named}}}`, 'inside of another object'],
      [`{${event},${data}}},${named}}`, 'behind the event'],
      [`{${event},${data},"x":"},${named}}`, 'inside of a text'],
      [`{${named},${event},${data}},${named}}`, 'twice'],
    ] as const;
    for (const schema of [null, registry.only]) {
      const both = new BothWays(registry, schema);
      for (const line of good) t.match(both.compare(Buffer.from(line)), { scanned: true, accepted: true }, line);
      for (const [line, where] of other) {
        t.strictSame(both.compare(Buffer.from(line)), { scanned: false, accepted: false, fault: undefined }, where);
      }
    }
  },
);

t.test('of random schemas too, whatever they combine', async (t) => {
  t.setTimeout(280_000);
  const events = Math.max(20, LINES / 400);
  const score = new Score();
  let scanners = 0;
  const random = new Random(SEED);
  for (const schema of fc.sample(schemas, { seed: SEED, numRuns: 400 })) {
    const opened = openVersions(schema);
    if (opened === null || opened.faults.length > 0) continue;
    const [{ accepts, explain }] = opened.validators as [Validator];
    const { plan, shapes } = opened.planned;
    const names = { subject: 'subject', version: '1.0.0', id: 'subject/1.0.0' };
    const parts = { plan, shape: shapes[0]!, bundle: opened.bundles[0]! };
    const version = { ...names, ...parts, accepts, explain } as unknown as SchemaVersion;
    const both = new BothWays(new Registry([subjectOf(version)], []), version);
    if (both.scannerOf(version) !== null) scanners++;
    const texts = new Texts(version.bundle().schema, random);
    for (let count = 0; count < events; count++) {
      const sampled = random.chance(0.5) ? JSON.stringify(sampleEvent(schema, random.below(2 ** 31))) : undefined;
      const line = Buffer.from(sampled ?? texts.event(random.pick([COMMON, ODD, WILD])));
      score.note(both.compare(line), JSON.stringify(schema), line);
    }
  }
  t.strictSame(score.faults, [], String(score));
  t.ok(scanners > 20 && score.scanned > 100, `${scanners} of the schemas have a scanner`);
});

t.test("of GitHub's events, with all that their schemas refer to", async (t) => {
  t.setTimeout(280_000);
  const { folder, payloads } = githubWebhooks();
  // As the only branch of a choice an event would be ajv's alone.
  const plain = Object.entries(folder).map(([file, schema]) => [file, (schema as { oneOf: object[] }).oneOf[0]]);
  const shared = '_shared/github.json';
  const registry = await loadFolder(folderOf(t, { ...Object.fromEntries(plain), [shared]: folder[shared] }));
  const both = new BothWays(registry, null);
  const random = new Random(SEED);
  const score = new Score();
  const scanned = new Set<string>();
  for (const { name, examples } of payloads) {
    for (const example of examples) {
      const line = Buffer.from(JSON.stringify({ $schema: name, ...(example as object) }));
      const outcome = both.compare(line);
      score.note(outcome, name, line);
      if (outcome.scanned) scanned.add(name);
      for (let times = 0; times < LINES / 4_000; times++) {
        const worse = damaged(line, random);
        score.note(both.compare(worse), `${name} damaged`, worse);
      }
    }
  }
  t.strictSame(score.faults, [], `${score}, of ${scanned.size} events`);
  t.ok(score.accepted > 200 && scanned.size > 0, 'most payloads are valid, and some are scanned');
});

t.test('what the scanner takes, the usual way takes with the same row; and it takes what is common', async (t) => {
  t.setTimeout(280_000);
  const files = Object.fromEntries(Object.entries(SCHEMAS).map(([name, { schema }]) => [`${name}/1.0.0.json`, schema]));
  const registry = await loadFolder(folderOf(t, { ...files, ...VERSIONS }));
  const [shipped] = [...(await loadFolder('schemas')).subjects.values()].map(({ latest }) => latest);
  const versions = [shipped!, ...[...registry.subjects.values()].flatMap((subject) => subject.versions)];
  let lines = 0;
  for (const [at, version] of versions.entries()) {
    const scores = compareVersion(version, SEED + at, LINES, at % 2 === 0);
    const all = Object.values(scores) as Score[];
    t.strictSame(
      all.flatMap(({ faults }) => faults),
      [],
      `${version.id}: ${all.join('; ')}`,
    );
    const least = SCHEMAS[version.subject]?.common ?? 1;
    const { common, odd, wild } = scores;
    t.ok(common.scanned >= common.accepted * least, `${version.id}: at least ${least} of the common lines are scanned`);
    if (least > 0) t.ok(odd.scanned > 0 && wild.scanned > 0, `${version.id}: some unusual lines are scanned too`);
    lines += LINES;
  }
  t.ok(lines >= 300_000 || process.env.SCAN_LINES !== undefined, `${lines} lines`);
});
