// However a body comes in pieces, its report is the same: cut at every byte, sent byte by byte, packed as any number of
// gzip members.
import t, { type Test } from 'tap';
import { startPlace } from './fuzzing.ts';
import { GOOD } from './subject.ts';
import { send, type Upload, wrapped } from './upload.ts';

/** Characters of two, three and four bytes, a byte order mark, both line endings, a blank line, broken lines. */
const NDJSON = Buffer.concat([
  Buffer.from(`\ufeff{"s":"ä€😀"}\r\n\n{"n":\r1}\n{"s":"`),
  Buffer.from([0xe2, 0x82]),
  Buffer.from(`"}\r\n{"s":"\\ud83d\\ude00"`),
  Buffer.from('\n{"n":9007199254740993}\r'),
]);
const ARRAY = Buffer.from('\ufeff [ {"s":"]},[\\"😀"} , 2,{"j":[3, [4]]},\r\n{"s":"\\\\"},{"s":"\\u00e4€"},{}\n] ');

async function verdicts(place: { server: { url: string } }, upload: Upload): Promise<object> {
  const reply = await send(place.server, upload, '?dry_run=true&report=full');
  const { batch_id: _, duration_ms: __, bytes: ___, ...report } = JSON.parse(reply!.text);
  return { http: reply!.status, ...report };
}

async function sameEverywhere(t: Test, whole: Upload, variants: Upload[]): Promise<void> {
  const place = await startPlace(t);
  const expected = await verdicts(place, whole);
  t.match(expected, { http: 200, lines: { accepted: Number, rejected: Number } });
  const different: object[] = [];
  for (const upload of variants) {
    const found = await verdicts(place, upload);
    if (JSON.stringify(found) !== JSON.stringify(expected)) different.push({ ...upload, content: undefined, found });
  }
  t.strictSame(different.slice(0, 3), [], `${variants.length} ways to send it, ${different.length} of them differ`);
}

/** The body in two pieces, cut at each of its bytes, and in single bytes. */
function cutEverywhere(upload: Upload): Upload[] {
  const places = Array.from({ length: wrapped(upload).body.length - 1 }, (_, index) => index + 1);
  return [...places.map((place) => ({ ...upload, cuts: [place] })), { ...upload, cuts: places }];
}

const plain = { members: null, cuts: [], headers: {} };

for (const [name, upload] of Object.entries({
  NDJSON: { ...plain, form: 'ndjson', content: NDJSON },
  'a JSON array': { ...plain, form: 'json', content: ARRAY },
  'gzip in two members': { ...plain, form: 'ndjson', content: NDJSON, members: [20] },
  'a multipart body': { ...plain, form: 'multipart', content: NDJSON },
  'a multipart body of gzip': { ...plain, form: 'multipart', content: NDJSON, members: [] },
} satisfies Record<string, Upload>)) {
  t.test(`cut at any byte, ${name} gives the same report`, (t) => sameEverywhere(t, upload, cutEverywhere(upload)));
}

t.test('gzip members may begin at any byte of the content, and be of one byte each', async (t) => {
  const whole: Upload = { ...plain, form: 'ndjson', content: NDJSON };
  const places = Array.from({ length: NDJSON.length - 1 }, (_, index) => index + 1);
  const variants = [...places.map((place) => [place]), places].map((members) => ({ ...whole, members }));
  await sameEverywhere(t, whole, variants);
});

t.test('a good line loads whatever stands before and behind it', async (t) => {
  const place = await startPlace(t);
  const noise = Buffer.from(Array.from({ length: 256 }, (_, byte) => (byte === 0x0a ? 0x0b : byte)));
  const content = Buffer.concat(GOOD.flatMap((line) => [noise, Buffer.from(`\n${line}\n`)]));
  const reply = await send(place.server, { ...plain, form: 'ndjson', content });
  t.match(JSON.parse(reply!.text), { lines: { accepted: GOOD.length, rejected: GOOD.length } });
  t.equal((await place.query('SELECT FROM events.fuzz')).length, GOOD.length);
});
