// May this version follow those? What a subject's mode demands of a version, and whether its number promises enough.
// Pure: whoever calls hands in the comparison, which may run elsewhere.
import type { CompareOptions } from './compare/compare.ts';
import type { Bump, Comparison, Difference, Mode } from './compare/difference.ts';
import type { Fault } from './faults.ts';
import type { SchemaVersion } from './registry.ts';
import type { SubjectSettings } from './subject.ts';
import type { VersionNumber } from './version.ts';

export type Compare = (before: unknown, after: unknown, options: CompareOptions) => Comparison | Promise<Comparison>;

/** What the judging needs to know of a version. */
export type Judged = Pick<SchemaVersion, 'subject' | 'version' | 'major' | 'minor' | 'patch' | 'file' | 'whole'>;

/** A difference to one of several earlier versions says to which. */
export type WeighedDifference = Difference & { against?: string };

/** A version held against earlier ones. */
export interface Weighed {
  compatible: boolean;
  mode: Mode;
  /** The versions that it was held against, newest first. */
  against: string[];
  /** The smallest honest step from the newest of them. */
  needed_bump: Bump;
  differences: WeighedDifference[];
}

const ORDER: readonly Bump[] = ['patch', 'minor', 'major'];

/** The versions that a mode holds a new one against: of those that precede it in its major, all or the newest. */
export function demandedBy<T>(mode: Mode, predecessors: readonly T[]): T[] {
  return mode.endsWith('_TRANSITIVE') ? [...predecessors].reverse() : predecessors.slice(-1);
}

/**
 * Holds a document against earlier versions.
 * @param against newest first
 * @param budgetMs for each comparison
 */
export async function weigh(
  after: unknown,
  against: readonly Pick<Judged, 'version' | 'whole'>[],
  settings: SubjectSettings,
  compare: Compare,
  budgetMs: number,
): Promise<Weighed> {
  const mode = settings.compatibility;
  const differences = new Map<string, WeighedDifference>();
  let compatible = true;
  let needed: Bump = 'patch';
  for (const [at, { version, whole }] of against.entries()) {
    const comparison = await compare(whole(), after, { mode, lenient: settings.policy === 'lenient', budgetMs });
    compatible &&= comparison.compatible;
    const bump = bumpUnder(mode, comparison);
    if (at === 0 || bump === 'major') needed = larger(needed, bump);
    for (const difference of comparison.differences) {
      const { type, old_path, new_path, message } = difference;
      const key = JSON.stringify([type, old_path, new_path, message]);
      if (differences.has(key)) continue;
      differences.set(key, against.length > 1 ? { ...difference, against: version } : difference);
    }
  }
  const versions = against.map(({ version }) => version);
  return { compatible, mode, against: versions, needed_bump: needed, differences: [...differences.values()] };
}

/** What a subject's mode does not demand is no break in it: where only FORWARD is promised, readers are old. */
function bumpUnder(mode: Mode, { needed_bump, backward, forward }: Comparison): Bump {
  const isForward = mode.startsWith('FORWARD');
  if ((isForward || mode.startsWith('FULL')) && forward !== 'holds') return 'major';
  if (mode.startsWith('FULL') && backward !== 'holds') return 'major';
  return isForward && needed_bump === 'major' ? 'minor' : needed_bump;
}

/** The step from one version number to a larger one. */
export function stepBetween(before: Judged, after: Judged): Bump {
  if (before.major !== after.major) return 'major';
  return before.minor === after.minor ? 'patch' : 'minor';
}

/** The number that follows by a step. */
export function nextNumber({ major, minor, patch }: Judged, bump: Bump): VersionNumber {
  if (bump === 'major') return [major + 1, 0, 0];
  return bump === 'minor' ? [major, minor + 1, 0] : [major, minor, patch + 1];
}

/** Why a number that promises `promised` cannot stand for what was weighed; undefined if it can. */
export function refusalOf(weighed: Weighed, promised: Bump): string | undefined {
  const { compatible, needed_bump, mode, against, differences } = weighed;
  if (promised === 'major') return undefined;
  const isTooSmall = promised === 'patch' && needed_bump !== 'patch';
  if (compatible && !isTooSmall) return undefined;
  const breaking = compatible ? differences : differences.filter(({ breaks }) => breaks !== 'none');
  const some = breaking.slice(0, 3).map(({ new_path, message }) => `${new_path || 'the whole'}: ${message}`);
  const why = compatible ? 'it changes more than a patch may' : `it is not compatible (${mode})`;
  const needs = `the number promises a ${promised} change, ${needed_bump === promised ? 'and' : `it needs a ${needed_bump} one:`}`;
  return `${needs} ${why} with ${against.join(', ')}${some.length > 0 ? `; ${some.join(' ')}` : ''}`;
}

/** What needs no judging. */
export interface Known {
  /** Whether a version is in use already: two such are never compared. */
  isFrozen(version: Judged): boolean;
  /** Whether a version was held against its predecessors before. */
  isWeighed?(version: Judged): boolean;
}

/**
 * Judges the versions of a subject that are not frozen, and what frozen ones have to do with them.
 * @returns a fault for each version whose number is not honest
 */
export async function judgeVersions(
  { versions, settings }: { versions: readonly Judged[]; settings: SubjectSettings },
  { isFrozen, isWeighed = () => false }: Known,
  compare: Compare,
  budgetMs: number,
): Promise<Fault[]> {
  const faults: Fault[] = [];
  const chain = new Chain(settings);
  for (const [at, version] of versions.entries()) {
    const predecessors = versions.slice(0, at).filter(({ major }) => major === version.major);
    const last = predecessors.at(-1);
    if (last === undefined) continue;
    for (const other of demandedBy(settings.compatibility, predecessors)) {
      if (isWeighed(version) || (isFrozen(version) && isFrozen(other)) || chain.implies(other, last, version)) continue;
      const weighed = await weigh(version.whole(), [other], settings, compare, budgetMs);
      if (weighed.compatible) chain.holds(other, version);
      // The step is the one from the version just before; from the others only compatibility is demanded.
      const refusal = refusalOf(weighed, other === last ? stepBetween(other, version) : 'minor');
      if (refusal === undefined) continue;
      const place = weighed.differences.find(({ breaks }) => breaks !== 'none')?.new_path ?? '';
      if (isFrozen(version)) {
        faults.push({ file: other.file, place: '', reason: `${version.version} is in use and follows it: ${refusal}` });
      } else faults.push({ file: version.file, place, reason: refusal });
      break;
    }
  }
  return faults;
}

/** What follows from comparisons that were made: under the strict policy containment passes on from pair to pair. */
class Chain {
  readonly #passesOn: boolean;
  readonly #known = new Map<Judged, Set<Judged>>();

  constructor({ policy, compatibility }: SubjectSettings) {
    this.#passesOn = policy === 'strict' && compatibility !== 'NONE';
  }

  holds(before: Judged, after: Judged): void {
    const known = this.#known.get(after) ?? new Set();
    this.#known.set(after, known.add(before));
  }

  /** Whether `before` is known to fit `after` because both fit the version between them. */
  implies(before: Judged, between: Judged, after: Judged): boolean {
    const fits = this.#passesOn && this.#known.get(after)?.has(between) && this.#known.get(between)?.has(before);
    if (fits) this.holds(before, after);
    return fits === true;
  }
}

function larger(a: Bump, b: Bump): Bump {
  return ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b;
}
