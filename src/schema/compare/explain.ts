// Turns findings into differences: asks for each whether it breaks, and shows a document that proves it.

import type { Lit } from './atom.ts';
import { type Budget, BudgetSpent } from './budget.ts';
import type { Breaks, Difference, Verdict } from './difference.ts';
import type { Finding } from './finding.ts';
import { type Direction, type Pair, rejects } from './pair.ts';
import { atEnd } from './trail.ts';

/** What one question about one difference may cost. */
const QUESTION_MS = 400;
const QUESTION_STEPS = 60_000;

/**
 * The differences behind findings. A direction that holds as a whole is broken by none of them.
 * Where the budget ends, the rest is listed as breaking nothing provable, and `complete` is false.
 */
export function explain(
  findings: readonly Finding[],
  pair: Pair,
  verdicts: Record<Direction, Verdict>,
  budget: Budget,
): { differences: Difference[]; complete: boolean } {
  let complete = true;
  const differences = findings.map((finding): Difference => {
    const witnesses: Partial<Record<Direction, { value: unknown; confirmed: boolean }>> = {};
    for (const direction of ['backward', 'forward'] as const) {
      if (verdicts[direction] === 'holds' || !finding.splits[direction]) continue;
      if (budget.spent) complete = false;
      else {
        const value = ask(finding, direction, pair, budget);
        if (value !== undefined) witnesses[direction] = value;
      }
    }
    return describe(finding, witnesses);
  });
  return { differences, complete };
}

function describe(
  finding: Finding,
  { backward, forward }: Partial<Record<Direction, { value: unknown; confirmed: boolean }>>,
): Difference {
  const breaks: Breaks = backward ? (forward ? 'both' : 'backward') : forward ? 'forward' : 'none';
  const difference: Difference = {
    type: finding.type,
    breaks,
    old_path: finding.oldPath,
    new_path: finding.newPath,
    message: finding.message,
  };
  const first = backward?.confirmed ? backward : forward?.confirmed ? forward : undefined;
  if (first) {
    difference.witness = first.value;
    difference.witness_valid_under = first === backward ? 'old' : 'new';
  }
  if (first === backward && backward && forward?.confirmed) difference.forward_witness = forward.value;
  return difference;
}

/** A document that separates the two schemas at the place of the finding. */
function ask(
  finding: Finding,
  direction: Direction,
  pair: Pair,
  budget: Budget,
): { value: unknown; confirmed: boolean } | undefined {
  const { graph } = pair;
  const { holds, fails } = finding.splits[direction]!;
  const { reader } = pair.roles(direction);
  try {
    const end = graph.make({ all: [holds], not: [fails] });
    const demand: Lit = { node: atEnd(finding.trail, end, graph), neg: false, src: false };
    // First the difference alone: usually that is enough for the other schema to reject the document.
    for (const demands of [[demand], [demand, rejects(reader.root)]]) {
      const outcome = pair.search(direction, demands, budget.part(QUESTION_MS, QUESTION_STEPS));
      if (outcome.kind === 'empty') return undefined;
      if (outcome.kind !== 'found' || budget.spent || !pair.separates(direction, outcome.value)) continue;
      return { value: outcome.value, confirmed: pair.confirmed(direction, outcome.value) };
    }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
  }
  return undefined;
}
