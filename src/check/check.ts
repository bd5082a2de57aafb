// `sluice schemas check`: everything that can be said of a schema folder without a database. Reads, judges, changes
// nothing; how it is told stands in cli/.
import type { Limits } from '../config.ts';
import { StartError } from '../errors.ts';
import { FolderLint } from '../schema/check-lint.ts';
import { type Fault, Findings, SchemaFolderError } from '../schema/faults.ts';
import { loadFolder } from '../schema/folder.ts';
import { listFolder } from '../schema/listing.ts';
import type { Registry, Subject } from '../schema/registry.ts';
import { type Change, changeOf } from './changes.ts';
import { checkExamples } from './examples.ts';
import { checkHistory } from './history.ts';
import type { CheckedSubject, CheckResult, Finding } from './result.ts';

export interface CheckSettings {
  folder: string;
  /** Another state of the folder, e.g. a checkout of the main branch: only what differs from it is judged and shown. */
  base: string | undefined;
  limits: Limits;
  /** Milliseconds for one comparison. */
  budgetMs: number;
}

/** @throws {StartError} where a folder or one of its files cannot be read, or the base does not load */
export async function checkFolder(settings: CheckSettings): Promise<CheckResult> {
  const { folder, base } = settings;
  const files = await readable(folder);
  const old = base === undefined ? undefined : { registry: await loadBase(base), files: await readable(base) };
  const isChanged = (file: string): boolean => {
    const before = old?.files.get(file);
    return before === undefined || Buffer.compare(before, files.get(file)!) !== 0;
  };
  const lint = new FolderLint();
  const findings: Finding[] = [];
  for (const [file, bytes] of files) if (isChanged(file)) findings.push(...(await lint.lint(file, bytes)));

  const registry = await loadFolder(folder).catch((error: unknown) => {
    if (!(error instanceof SchemaFolderError)) throw error;
    findings.unshift(...error.faults.map((fault) => findingOf(fault, 'fault', 'error')));
  });
  if (registry === undefined) return resultOf(undefined, base, [], findings);
  findings.push(...registry.warnings.map((warning) => findingOf(warning, 'warning', 'warning')));

  const subjects: CheckedSubject[] = [];
  for (const subject of registry.subjects.values()) {
    const change = await changeOf(subject, old?.registry.subjects.get(subject.name), { folder, base });
    if (change === undefined) continue;
    const own = findings.filter(({ file }) => file.startsWith(`${subject.name}/`));
    subjects.push(await checkSubject(subject, change, own, settings));
  }
  for (const gone of old?.registry.subjects.keys() ?? []) {
    if (registry.subjects.has(gone)) continue;
    const message = 'the subject is gone: its table stays, and its events are rejected from now on';
    findings.push({ rule: 'removed_subject', severity: 'warning', file: gone, place: '', message });
  }
  const names = new Set(registry.subjects.keys());
  const others = findings.filter(({ file }) => {
    return !names.has(file.split('/')[0]!) && (old === undefined || isChanged(file) || !files.has(file));
  });
  return resultOf(registry, base, subjects, others);
}

async function checkSubject(
  subject: Subject,
  change: Change,
  lint: readonly Finding[],
  { folder, limits, budgetMs }: CheckSettings,
): Promise<CheckedSubject> {
  const { name, settings } = subject;
  const faults = compileAll(subject);
  const history = await checkHistory(subject, change, budgetMs);
  const examples = faults.length > 0 ? { files: [], findings: [] } : await checkExamples(folder, subject, limits);
  const findings = [...faults, ...change.findings, ...history.findings, ...examples.findings, ...lint];
  return {
    subject: name,
    verdict: verdictOn(findings),
    compatibility: settings.compatibility,
    policy: settings.policy,
    versions: history.versions,
    examples: examples.files,
    findings,
  };
}

/** What ajv says of versions that nothing else found fault with. */
function compileAll({ versions }: Subject): Finding[] {
  return versions.flatMap((version) => {
    try {
      version.accepts({});
      return [];
    } catch (error) {
      if (!(error instanceof SchemaFolderError)) throw error;
      return error.faults.map((fault) => findingOf(fault, 'fault', 'error'));
    }
  });
}

/** Contents by name. A check of what could not be read says nothing. */
async function readable(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const findings = new Findings();
  const { files } = await listFolder(folder, findings);
  const unread = findings.faults.filter(({ reason }) => reason.startsWith('cannot be read'));
  if (unread.length > 0) throw new StartError(unread.map(({ file, reason }) => `${file} ${reason}`).join('\n'));
  return files;
}

async function loadBase(base: string): Promise<Registry> {
  try {
    return await loadFolder(base);
  } catch (error) {
    if (!(error instanceof SchemaFolderError)) throw error;
    throw new StartError(`there is nothing to compare with. ${error.message}`, { cause: error });
  }
}

function findingOf({ file, place, reason }: Fault, rule: string, severity: Finding['severity']): Finding {
  return { rule, severity, file, place, message: reason };
}

function verdictOn(findings: readonly Finding[]): 'fine' | 'problems' {
  return findings.some(({ severity }) => severity === 'error') ? 'problems' : 'fine';
}

function resultOf(
  registry: Registry | undefined,
  base: string | undefined,
  subjects: CheckedSubject[],
  findings: Finding[],
): CheckResult {
  const all = [...findings, ...subjects.flatMap((subject) => subject.findings)];
  const known = [...(registry?.subjects.values() ?? [])];
  return {
    verdict: verdictOn(all),
    totals: {
      subjects: known.length,
      versions: known.reduce((sum, { versions }) => sum + versions.length, 0),
      errors: all.filter(({ severity }) => severity === 'error').length,
      warnings: all.filter(({ severity }) => severity === 'warning').length,
    },
    base: base ?? null,
    subjects,
    findings,
  };
}
