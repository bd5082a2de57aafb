// Compares two versions of a schema: may the new one follow the old one, and what exactly is different?
// Pure: no database, no network, no files; the clock is only read to keep to the budget.
//
// Backward compatible means containment: every document that the old schema accepts, the new one accepts too. It is
// only claimed when the search has proved that there is no counter-example, and sampling has not met one either.

import { Budget, BudgetSpent } from './budget.ts';
import type { Bump, Comparison, Difference, Mode, Verdict } from './difference.ts';
import { explain, isSmall } from './explain.ts';
import { type Direction, OUT_OF_BUDGET, Pair } from './pair.ts';
import { counterExample } from './sample.ts';
import { Walk } from './walk.ts';

export interface CompareOptions {
  /** Default BACKWARD. */
  mode?: Mode;
  /** Only look at documents whose members are declared by the schema that wrote them. */
  lenient?: boolean;
  /** Milliseconds for everything together; default 5,000. */
  budgetMs?: number;
  /** Steps of the search for each direction, for answers that do not depend on the machine; default unlimited. */
  steps?: number;
}

interface Finding {
  verdict: Verdict;
  witness?: unknown;
  confirmed: boolean;
  why: string;
}

/**
 * Compares `oldSchema` with `newSchema` (parsed JSON, draft-07 to 2020-12).
 * @throws SchemaFault when one of them is not a schema, refers outside of itself, or is nested too deeply
 */
export function compare(oldSchema: unknown, newSchema: unknown, options: CompareOptions = {}): Comparison {
  const { mode = 'BACKWARD', lenient = false, budgetMs = 5000, steps = Number.POSITIVE_INFINITY } = options;
  const budget = new Budget(budgetMs);
  let pair: Pair;
  try {
    pair = new Pair(oldSchema, newSchema, lenient, budget);
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    return undecidedComparison(options, 'The budget was used up before the schemas were read.', true);
  }
  const backward = decide(pair, 'backward', budget.part(budgetMs * 0.4, steps));
  const forward = decide(pair, 'forward', budget.part(budgetMs * 0.4, steps));
  const verdicts = { backward: backward.verdict, forward: forward.verdict };
  const { differences, complete, truncated } = listDifferences(pair, verdicts, budget);
  for (const [direction, result] of [
    ['backward', backward],
    ['forward', forward],
  ] as const) {
    addWhole(differences, direction, result);
  }
  return {
    compatible: isCompatible(mode, verdicts),
    mode,
    lenient,
    ...verdicts,
    needed_bump: neededBump(pair, verdicts, differences, budget),
    differences,
    differences_truncated: truncated,
    budget_exhausted: !complete || [backward, forward].some(({ why }) => why === OUT_OF_BUDGET),
  };
}

function isCompatible(mode: Mode, { backward, forward }: Record<Direction, Verdict>): boolean {
  if (mode === 'NONE') return true;
  if (mode.startsWith('BACKWARD')) return backward === 'holds';
  if (mode.startsWith('FORWARD')) return forward === 'holds';
  return backward === 'holds' && forward === 'holds';
}

/** The answer where there is none: it counts as incompatible, and as whatever needs the largest step. */
export function undecidedComparison(
  { mode = 'BACKWARD', lenient = false }: CompareOptions,
  message: string,
  budgetExhausted: boolean,
): Comparison {
  return {
    compatible: mode === 'NONE',
    mode,
    lenient,
    backward: 'undecided',
    forward: 'undecided',
    needed_bump: 'major',
    differences: [{ type: 'undecided', breaks: 'both', old_path: '', new_path: '', message }],
    differences_truncated: false,
    budget_exhausted: budgetExhausted,
  };
}

/** Proof, counter-example, or neither. A proof is distrusted once: sampled documents have to agree with it. */
function decide(pair: Pair, direction: Direction, budget: Budget): Finding {
  const outcome = pair.contradict(direction, budget);
  if (outcome.kind === 'found' && pair.separates(direction, outcome.value)) {
    const confirmed = pair.confirmed(direction, outcome.value);
    const other = confirmed ? undefined : counterExample(pair, direction, true);
    if (other !== undefined) return { verdict: 'fails', witness: other.value, confirmed: true, why: '' };
    return { verdict: 'fails', witness: outcome.value, confirmed, why: '' };
  }
  const sampled = counterExample(pair, direction, false);
  if (sampled !== undefined) {
    const confirmed = pair.confirmed(direction, sampled.value);
    return { verdict: 'fails', witness: sampled.value, confirmed, why: '' };
  }
  if (outcome.kind === 'empty') return { verdict: 'holds', confirmed: false, why: '' };
  const why = outcome.kind === 'unknown' ? outcome.why : 'the counter-example could not be verified';
  return { verdict: 'undecided', confirmed: false, why };
}

function listDifferences(pair: Pair, verdicts: Record<Direction, Verdict>, budget: Budget) {
  const walk = new Walk(pair, budget);
  let complete = true;
  try {
    walk.run();
  } catch (error) {
    if (!(error instanceof BudgetSpent)) throw error;
    complete = false;
  }
  const explained = explain(walk.findings, pair, verdicts, budget);
  return {
    differences: explained.differences,
    complete: complete && explained.complete,
    truncated: walk.truncated,
  };
}

/** What no single difference accounts for is said of the whole. */
function addWhole(differences: Difference[], direction: Direction, result: Finding): void {
  const backward = direction === 'backward';
  const [writer, reader] = backward ? ['old', 'new'] : ['new', 'old'];
  if (result.verdict === 'undecided') {
    const message = `Whether the ${reader} schema accepts all documents of the ${writer} one could not be decided: ${result.why}.`;
    differences.push({ type: 'undecided', breaks: direction, old_path: '', new_path: '', message });
  }
  if (result.verdict !== 'fails') return;
  const explained = differences.some(
    ({ breaks, witness }) =>
      (breaks === direction || breaks === 'both') &&
      (witness !== undefined || !result.confirmed || !isSmall(result.witness)),
  );
  if (explained) return;
  const message = `The ${reader} schema rejects documents that the ${writer} one accepts.`;
  const difference: Difference = { type: 'documents_rejected', breaks: direction, old_path: '', new_path: '', message };
  if (result.confirmed && isSmall(result.witness)) {
    difference.witness = result.witness;
    difference.witness_valid_under = backward ? 'old' : 'new';
  }
  differences.push(difference);
}

/** Annotations that change how events are stored. */
const STORAGE = ['x_id_changed', 'x_column_changed', 'x_column_prefix_changed'];

function neededBump(pair: Pair, verdicts: Record<Direction, Verdict>, differences: Difference[], budget: Budget): Bump {
  if (verdicts.backward !== 'holds') return 'major';
  if (verdicts.forward !== 'holds' || differences.some(({ type }) => STORAGE.includes(type))) return 'minor';
  if (!pair.lenient) return 'patch';
  // Under the lenient policy both directions hold when members are only added: that is still an addition.
  const strict = (['backward', 'forward'] as const).every((direction) => pair.strictly(direction, budget));
  return strict ? 'patch' : 'minor';
}
