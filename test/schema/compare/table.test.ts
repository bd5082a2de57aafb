import t from 'tap';
import { compare } from '../../../src/schema/compare/compare.ts';
import type { Comparison } from '../../../src/schema/compare/difference.ts';
import { falseWitnesses } from './judge.ts';
import { DRAFT_07, DRAFT_2020, LENIENT, type Relation, type Row } from './table.ts';

const MIRRORED: Record<Relation, Relation> = { '=': '=', '!': '!', '>': '<', '<': '>' };

function relation({ backward, forward }: Comparison): string {
  if (backward === 'undecided' || forward === 'undecided') return `backward ${backward}, forward ${forward}`;
  if (backward === 'holds') return forward === 'holds' ? '=' : '>';
  return forward === 'holds' ? '<' : '!';
}

const bumps: Record<Relation, string> = { '=': 'patch', '>': 'minor', '<': 'major', '!': 'major' };

for (const [title, rows] of [...Object.entries(DRAFT_07), ...Object.entries(DRAFT_2020)]) {
  t.test(`${title}: each pair relates as its documents do, from both sides`, async (t) => {
    for (const [wanted, before, after] of rows as Row[]) {
      const label = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
      const [there, back] = [compare(before, after), compare(after, before)];
      t.equal(relation(there), wanted, label);
      t.equal(relation(back), MIRRORED[wanted], `back: ${label}`);
      t.equal(there.needed_bump, bumps[wanted], `bump: ${label}`);
      t.same(falseWitnesses(before, after, there), [], `witnesses: ${label}`);
      for (const direction of ['backward', 'forward'] as const) {
        if (there[direction] !== 'fails') continue;
        const breaking = there.differences.filter(({ breaks }) => breaks === direction || breaks === 'both');
        t.ok(
          breaking.some(({ witness }) => witness !== undefined),
          `a ${direction} witness: ${label}`,
        );
      }
    }
  });
}

t.test('the lenient policy only looks at documents that hold declared members', async (t) => {
  for (const [backward, forward, before, after] of LENIENT) {
    const result = compare(before, after, { lenient: true, mode: 'FULL' });
    const label = `${JSON.stringify(before)} → ${JSON.stringify(after)}`;
    t.same(
      [result.backward, result.forward],
      [backward, forward].map((holds) => (holds ? 'holds' : 'fails')),
      label,
    );
    t.equal(result.compatible, backward && forward, label);
    t.same(falseWitnesses(before, after, result), [], `witnesses: ${label}`);
  }
});

t.test('adding an optional member under the lenient policy is an addition', async (t) => {
  const before = { type: 'object', properties: { a: { type: 'string' } } };
  const after = { type: 'object', properties: { a: { type: 'string' }, b: { type: 'string' } } };
  t.equal(compare(before, after, { lenient: true }).needed_bump, 'minor');
  t.equal(compare(before, before, { lenient: true }).needed_bump, 'patch');
  t.equal(compare(before, after).needed_bump, 'major');
});

t.test('a mode decides which directions count', async (t) => {
  const [narrow, wide] = [{ type: 'integer' }, { type: 'number' }];
  const verdict = (mode: 'BACKWARD' | 'FORWARD' | 'FULL' | 'NONE' | 'BACKWARD_TRANSITIVE' | 'FULL_TRANSITIVE') =>
    [compare(narrow, wide, { mode }), compare(wide, narrow, { mode })].map((result) => result.compatible);
  t.same(verdict('BACKWARD'), [true, false]);
  t.same(verdict('BACKWARD_TRANSITIVE'), [true, false]);
  t.same(verdict('FORWARD'), [false, true]);
  t.same(verdict('FULL'), [false, false]);
  t.same(verdict('FULL_TRANSITIVE'), [false, false]);
  t.same(verdict('NONE'), [true, true]);
});
