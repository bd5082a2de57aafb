// A subject's checks: `<subject>/expectations.json` in the suite format of Great Expectations. Read once per folder, bound
// to each table. Pure: nothing here knows a database.
import type { TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import { parseDocument } from '../schema/document.ts';
import type { Findings } from '../schema/faults.ts';
import { Arguments } from './arguments.ts';
import { expectationOf } from './catalogue.ts';
import type { Check, Severity } from './check.ts';
import { parseCondition } from './condition.ts';
import type { Bind } from './definition.ts';
import { Misfit, Table } from './table.ts';

/** A suite's checks, bound to one table. */
export interface Suite {
  readonly checks: readonly Check[];
}

/** What `expectations.json` says; what is wrong with it whatever the table has been reported. */
export interface RawSuite {
  /** Relative to the schema folder. */
  readonly file: string;
  readonly expectations: readonly RawExpectation[];
}

/** An expectation whose arguments are in order, so far as can be told without a table. */
interface RawExpectation {
  name: string;
  severity: Severity;
  kwargs: Record<string, unknown>;
  /** Path in the file. */
  path: readonly string[];
  bind: Bind;
}

export const NO_CHECKS: Suite = { checks: [] };

const SEVERITIES: readonly Severity[] = ['hold', 'warn', 'reject_rows'];
/** What Great Expectations writes beside an expectation's type and arguments, and what needs nobody's attention. */
const BESIDE: ReadonlySet<string> = new Set([
  'type',
  'expectation_type',
  'kwargs',
  'meta',
  'id',
  'ge_cloud_id',
  'expectation_context',
  'notes',
  'description',
  'severity',
  'rendered_content',
  'success_on_last_run',
]);
const AROUND: ReadonlySet<string> = new Set([
  '$schema',
  'name',
  'expectation_suite_name',
  'ge_cloud_id',
  'id',
  'data_asset_type',
  'evaluation_parameters',
  'suite_parameters',
  'expectations',
  'meta',
  'notes',
]);

/**
 * Reads a suite. Everything that is wrong with it goes to `findings` with its JSON Pointer.
 * @returns null where there is a fault
 */
export function readSuite(file: string, bytes: Uint8Array, findings: Findings): RawSuite | null {
  const before = findings.faults.length;
  const fault = (path: readonly string[], reason: string) => findings.fault(file, pointer(path), reason);
  const parsed = parseDocument(bytes);
  if ('reason' in parsed) {
    findings.fault(file, parsed.place, parsed.reason);
    return null;
  }
  const suite = parsed.value;
  if (!isObject(suite)) fault([], 'must be an object: a suite of Great Expectations');
  else if (!Array.isArray(suite.expectations)) fault(['expectations'], 'must be an array');
  if (findings.faults.length > before || !isObject(suite)) return null;
  for (const name of Object.keys(suite)) {
    if (!AROUND.has(name)) findings.warn(file, pointer([name]), 'is no member of a suite and has no effect');
  }
  const expectations = (suite.expectations as unknown[]).map((each, at) =>
    new Reader(file, ['expectations', String(at)], findings).read(each),
  );
  if (findings.faults.length > before) return null;
  return { file, expectations: expectations.filter((each) => each !== null) };
}

class Reader {
  readonly #file: string;
  readonly #path: readonly string[];
  readonly #findings: Findings;

  constructor(file: string, path: readonly string[], findings: Findings) {
    this.#file = file;
    this.#path = path;
    this.#findings = findings;
  }

  read(value: unknown): RawExpectation | null {
    if (!isObject(value)) return this.#fault([], 'must be an object');
    for (const name of Object.keys(value)) {
      if (!BESIDE.has(name)) this.#warn([name], 'is no member of an expectation and has no effect');
    }
    if (SEVERITIES.some((each) => each === value.severity))
      this.#warn(['severity'], 'has no effect here, only in meta');
    const member = 'type' in value ? 'type' : 'expectation_type';
    const name = value[member];
    if (typeof name !== 'string') return this.#fault([member], 'must be the name of an expectation');
    const definition = expectationOf(name);
    if ('reason' in definition) return this.#fault([member], definition.reason);
    const kwargs = value.kwargs ?? {};
    if (!isObject(kwargs)) return this.#fault(['kwargs'], 'must be an object');
    const severity = this.#severityOf(value.meta);
    if (severity === 'reject_rows' && !definition.isAboutRows) {
      this.#fault(
        ['meta', 'severity'],
        `${name} is not about rows, so it cannot reject any: hold and warn are possible`,
      );
    }
    const args = new Arguments(kwargs, (path, reason) => this.#fault(['kwargs', ...path], reason));
    const bind = definition.define(args);
    const condition = [args.take('row_condition', (each) => each), args.take('condition_parser', (each) => each)];
    if (!definition.takesCondition && condition[0] !== undefined) {
      args.fault(['row_condition'], `means nothing here: ${name} is not about rows`);
    }
    args.finish((ignored) => {
      this.#warn(['kwargs', ignored], `${ignored} has no effect here`);
    });
    return { name, severity, kwargs, path: this.#path, bind };
  }

  #severityOf(meta: unknown): Severity {
    if (meta === undefined || meta === null) return 'hold';
    if (!isObject(meta)) this.#fault(['meta'], 'must be an object');
    else if (meta.severity !== undefined) {
      const known = SEVERITIES.find((each) => each === meta.severity);
      if (known !== undefined) return known;
      this.#fault(['meta', 'severity'], `must be one of ${SEVERITIES.join(', ')}`);
    }
    return 'hold';
  }

  #warn(path: readonly string[], reason: string): void {
    this.#findings.warn(this.#file, pointer([...this.#path, ...path]), reason);
  }

  #fault(path: readonly string[], reason: string): null {
    this.#findings.fault(this.#file, pointer([...this.#path, ...path]), reason);
    return null;
  }
}

/**
 * Binds a suite to a table: its columns exist, and the arguments fit their types. What does not fit is a fault.
 * @param isNewest whether it is the subject's newest table. What only an older one does not fit is a warning, and the
 * check is left out for that table.
 */
export function bindSuite(raw: RawSuite, plan: TablePlan, isNewest: boolean, findings: Findings): Suite {
  const checks: Check[] = [];
  for (const expectation of raw.expectations) {
    try {
      checks.push(bindOne(raw.file, expectation, plan, findings));
    } catch (error) {
      if (!(error instanceof Misfit)) throw error;
      const place = pointer([...expectation.path, 'kwargs', ...error.path]);
      if (isNewest) findings.fault(raw.file, place, error.message);
      else findings.warn(raw.file, place, `is not checked in ${plan.table}: ${error.message}`);
    }
  }
  return { checks };
}

/** @throws {Misfit} */
function bindOne(
  file: string,
  { name, severity, kwargs, path, bind }: RawExpectation,
  plan: TablePlan,
  findings: Findings,
): Check {
  const pointerTo = (below: readonly string[]) => pointer([...path, 'kwargs', ...below]);
  const condition = conditionOf(kwargs, plan);
  const table = new Table(plan, condition, (below, reason) => findings.warn(file, pointerTo(below), reason));
  const bound = bind(table);
  const patterns = (bound.patterns ?? []).map((pattern) => ({
    place: pointerTo(pattern.path),
    source: pattern.source,
  }));
  return { name, severity, kwargs, file, place: pointer(path), condition, patterns, plan: bound.plan };
}

function conditionOf(kwargs: Record<string, unknown>, plan: TablePlan): string | null {
  const { row_condition: written, condition_parser: parser } = kwargs;
  if (written === undefined || written === null) return null;
  const read = parseCondition(written, parser ?? undefined, plan);
  if ('reason' in read) throw new Misfit(['row_condition'], read.reason);
  return read.sql;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
