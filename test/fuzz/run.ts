// `npm run fuzz -- --minutes N --seed S`: generated uploads until the time is over or one of them breaks an invariant.
// Ends with 1 then, with the smallest upload that does it printed and saved.
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import t from 'tap';

process.env.FUZZ_KEEP_ALIVE ??= '1';
// Read by this module when it is loaded.
const { fuzz, startPlace } = await import('./fuzzing.ts');

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } });
const minutes = Number(values.minutes ?? 10);
const first = Number(values.seed ?? randomInt(2 ** 31));
const RUNS = 100;

t.setTimeout((minutes + 10) * 60_000);
t.test(`${minutes} minutes of generated uploads, from seed ${first} on`, async (t) => {
  t.setTimeout((minutes + 9) * 60_000);
  t.comment(`seed ${first}`);
  const place = await startPlace(t);
  const end = performance.now() + minutes * 60_000;
  let seed = first;
  for (; performance.now() < end; seed++) {
    const finding = await fuzz(place, seed, RUNS);
    if (finding !== null) {
      t.fail(finding);
      return;
    }
  }
  t.pass(`seeds ${first} to ${seed - 1}, ${RUNS} uploads of each kind with each of them`);
});
