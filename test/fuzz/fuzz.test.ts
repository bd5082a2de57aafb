// A bounded part of the fuzzing in every run of the tests: uploads that once broke something, then new ones. The seed is
// printed; FUZZ_SEED repeats it. `npm run fuzz` goes on for as long as one likes.
import t from 'tap';
import { foundUploads, fuzz, startPlace } from './fuzzing.ts';
import { check } from './invariants.ts';

const SEED = Number(process.env.FUZZ_SEED ?? 20_261_121);
/** Uploads of each kind. */
const RUNS = Number(process.env.FUZZ_UPLOADS ?? 150);

t.test('uploads that once broke an invariant no longer do', async (t) => {
  const place = await startPlace(t);
  for (const [file, upload] of foundUploads()) {
    await t.resolves(check(place, upload), file);
  }
});

t.test('whatever is sent: the process lives, each line has one verdict, totals add up, neighbours load', async (t) => {
  t.comment(`FUZZ_SEED=${SEED}`);
  t.equal(await fuzz(await startPlace(t), SEED, RUNS), null);
});
