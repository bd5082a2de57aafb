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
const MAX_WITNESS = 100_000;
const GLANCE_MS = 30;
const GLANCE_STEPS = 5_000;

interface Proof {
  value: unknown;
  confirmed: boolean;
}
type Proofs = Partial<Record<Direction, Proof | undefined>>;

/**
 * The differences behind findings. A direction that holds as a whole is broken by none of them.
 * Where the budget ends, the rest is judged by its own place only, without a witness, and `complete` is false.
 */
export function explain(
  findings: readonly Finding[],
  pair: Pair,
  verdicts: Record<Direction, Verdict>,
  budget: Budget,
): { differences: Difference[]; complete: boolean } {
  const proofs = findings.map((): Proofs => ({}));
  const likely: Proof = { value: undefined, confirmed: false };
  let complete = true;
  const look = (direction: Direction, indirect: boolean) => {
    for (const [index, finding] of findings.entries()) {
      if (!indirect && !proofs[index]![direction]) continue;
      if (budget.spent) {
        complete = false;
        continue;
      }
      const proof = ask(finding, direction, indirect, pair, budget);
      if (proof || !indirect) proofs[index]![direction] = proof;
      if (proof && indirect) return;
    }
  };
  for (const direction of ['backward', 'forward'] as const) {
    if (verdicts[direction] === 'holds') continue;
    // At the place alone first: cheap, and what cannot break there breaks nowhere.
    findings.forEach((finding, index) => {
      if (mayBreak(finding, direction, pair, budget)) proofs[index]![direction] = likely;
    });
    look(direction, false);
    if (!proofs.some((proof) => proof[direction])) look(direction, true);
  }
  return { differences: findings.map((finding, index) => describe(finding, proofs[index]!)), complete };
}

/** A witness is there to be read. */
export function isSmall(value: unknown): boolean {
  return JSON.stringify(value).length <= MAX_WITNESS;
}

/** Whether some value at the place is accepted by the one side and rejected by the other, for all that is known. */
function mayBreak({ splits }: Finding, direction: Direction, pair: Pair, budget: Budget): boolean {
  const split = splits[direction];
  if (split === undefined) return false;
  const holds: Lit = { node: split.holds, neg: false, src: true };
  return pair.solve([holds, rejects(split.fails)], budget.part(GLANCE_MS, GLANCE_STEPS)).kind !== 'empty';
}

function describe(finding: Finding, { backward, forward }: Proofs): Difference {
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

/**
 * A document that separates the two schemas at the place of the finding. `indirect`: what the change newly allows or
 * forbids matters the other way round, as in an alternative of a `oneOf` that now overlaps with its neighbour.
 */
function ask(finding: Finding, direction: Direction, indirect: boolean, pair: Pair, budget: Budget): Proof | undefined {
  const opposite = direction === 'backward' ? 'forward' : 'backward';
  const split = finding.splits[indirect ? opposite : direction];
  if (split === undefined) return undefined;
  const { graph } = pair;
  const { reader } = pair.roles(direction);
  try {
    const end = graph.make({ all: [split.holds], not: [split.fails] });
    for (const trail of finding.trails) {
      const demand: Lit = { node: atEnd(trail, end, graph), neg: false, src: false };
      // First the difference alone: usually that is enough for the other schema to reject the document.
      for (const demands of indirect ? [[demand, rejects(reader.root)]] : [[demand], [demand, rejects(reader.root)]]) {
        const outcome = pair.search(direction, demands, budget.part(QUESTION_MS, QUESTION_STEPS));
        if (outcome.kind === 'empty') break;
        if (outcome.kind !== 'found' || budget.spent || !pair.separates(direction, outcome.value)) continue;
        return { value: outcome.value, confirmed: isSmall(outcome.value) && pair.confirmed(direction, outcome.value) };
      }
    }
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
  }
  return undefined;
}
