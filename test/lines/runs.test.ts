// Line numbers as runs: what goes in comes out, and nothing else is taken for runs.
import fc from 'fast-check';
import t from 'tap';
import { LineRuns } from '../../src/lines/runs.ts';

function runsOf(lines: Iterable<number>): LineRuns {
  const runs = new LineRuns();
  for (const line of lines) runs.append(line);
  return runs;
}

t.test('lines come back as they were appended', async (t) => {
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }))),
      (some) => {
        const lines = some.sort((a, b) => a - b);
        const decoded = LineRuns.decode(runsOf(lines).encode());
        t.strictSame([...decoded], lines);
        t.equal(decoded.count, lines.length);
        t.strictSame(decoded.encode(), runsOf(lines).encode());
      },
    ),
  );
});

t.test('neighbours are one run of eight bytes, and a cleared object starts anew', async (t) => {
  const lines = runsOf([1, 2, 3, 5, 6, 9]);
  t.equal(lines.encode().toString('hex'), '000000010000000300000005000000020000000900000001');
  t.strictSame([lines.runs, lines.first(1), lines.size(1)], [3, 5, 2]);
  lines.clear();
  lines.append(2);
  t.equal(lines.encode().toString('hex'), '0000000200000001');
  t.strictSame([...new LineRuns()], []);
});

t.test('a line that is not behind the others is an error', async (t) => {
  for (const line of [0, -1, 4, 5, 2 ** 31, Number.NaN])
    t.throws(() => runsOf([3, 4, 5, line]), /cannot stand behind line 5/);
  t.throws(() => runsOf([0]), /cannot stand/);
  t.throws(() => runsOf([2 ** 31 - 1, 2 ** 31]), /cannot stand/);
});

t.test('bytes that are no ascending runs are an error', async (t) => {
  const bad = ['00000001', '0000000100000000', '00000001ffffffff', '0000000000000001', '7fffffff00000002'];
  bad.push('00000001000000030000000300000001', '00000005000000010000000100000001');
  for (const hex of bad) t.throws(() => LineRuns.decode(Buffer.from(hex, 'hex')), /runs? of/, hex);
});
