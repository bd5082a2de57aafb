// One examination of a stage by many checks: which questions they have, in which order they can be asked, and what the
// answers come to. It hands out statements and takes rows; it runs nothing.
import type { AggregatePlan, Check, CheckPlan, GroupPlan, Outcome, RowPlan, UnexpectedRow } from './check.ts';
import { countRepeated } from './details.ts';
import { AggregateQuery, GroupQuery, type Ticket } from './query.ts';
import { judgeRows } from './result.ts';
import { allOf, nameOf } from './table.ts';

/** Runs a statement that gives one row and returns its values. */
export type Ask = (sql: string) => Promise<unknown[]>;

/** Postgres knows nothing of hashes and would think them few: sorting them takes a third of the time of grouping. */
export const SORT = "SELECT set_config('enable_hashagg', 'off', true)";

type Answers = readonly unknown[];

/** What a check still wants to know after the pass over the stage, and its outcome then. */
interface Reading {
  /** Called with the answers of the pass; asks groups where those did not settle it. */
  settle(answers: Answers): void;
  outcome(answers: Answers): Outcome;
}

export class Examination {
  readonly #query = new AggregateQuery();
  readonly #groups = new Map<string, Group>();
  readonly #repetitions: Repetition[] = [];
  readonly #readings: readonly Reading[];

  constructor(checks: readonly Check[]) {
    // Whoever needs the groups themselves decides for all who could do without them.
    for (const { plan, condition } of checks) {
      if (plan.kind === 'groups' && !plan.countsOnly)
        this.#groupOf([plan.column], groupedBy(plan), condition).isNeeded = true;
    }
    this.#readings = checks.map((check) => this.#read(check.plan, check.condition));
  }

  /** @returns the outcome of each check, in their order */
  async run(stage: string, ask: Ask): Promise<Outcome[]> {
    const answers: unknown[] = [];
    for (const { sql, tickets } of this.#query.statements(stage)) {
      const values = await ask(sql);
      tickets.forEach((ticket, at) => {
        answers[ticket] = values[at];
      });
    }
    for (const reading of this.#readings) reading.settle(answers);
    for (const group of this.#groups.values()) {
      if (group.query.isAsked) group.answers = await ask(group.query.sql(stage));
    }
    for (const repetition of this.#repetitions) {
      await ask(SORT);
      repetition.answers = await ask(repetition.sqlFor(stage));
    }
    return this.#readings.map((reading) => reading.outcome(answers));
  }

  #read(plan: CheckPlan, condition: string | null): Reading {
    switch (plan.kind) {
      case 'fixed':
        return { settle() {}, outcome: () => plan.outcome };
      case 'aggregate':
        return this.#readAggregate(plan);
      case 'groups':
        return this.#readGroups(plan, condition);
      case 'rows':
        return this.#readRows(plan, condition);
    }
  }

  #readAggregate({ aggregates, judge }: AggregatePlan): Reading {
    const tickets = aggregates.map(({ sql, sorts }) => this.#query.ask(sql, sorts));
    return { settle() {}, outcome: (answers) => judge(pick(answers, tickets)) };
  }

  #readGroups(plan: GroupPlan, condition: string | null): Reading {
    const group = this.#groupOf([plan.column], groupedBy(plan), condition);
    const { query } = group;
    const proof = group.isNeeded ? undefined : this.#askForProof(query);
    const early = proof && plan.expressions(query.distinctAtLeast, query.rows).map((sql) => this.#query.ask(sql, true));
    let late: Ticket[] | undefined;
    return {
      settle(answers) {
        if (proof?.(answers) !== true) late = query.ask(plan.expressions('count(*)', 'coalesce(sum(n), 0)::bigint'));
      },
      outcome: (answers) => plan.judge(late === undefined ? pick(answers, early!) : pick(group.answers, late)),
    };
  }

  #readRows(plan: RowPlan, condition: string | null): Reading {
    const { considered, unexpected, columns, mostly, tellsMissing } = plan;
    const all = this.#query.ask(countWhere(condition));
    const counted = this.#query.ask(
      plan.shape === 'value' && considered !== null
        ? `count(${nameOf(columns[0]!)})${filter(condition)}::float8`
        : countWhere(allOf(condition, considered)),
    );
    const judge = (answers: Answers, count: unknown): Outcome =>
      judgeRows({ all: answers[all], counted: answers[counted], unexpected: count }, mostly, tellsMissing);
    if (unexpected !== null) {
      // A predicate may ask the stage itself, whose name is known only when it runs.
      const ticket = this.#query.ask((stage) => countWhere(allOf(condition, unexpected(stage))));
      return { settle() {}, outcome: (answers) => judge(answers, answers[ticket]) };
    }
    const proof = this.#askForProof(new GroupQuery(columns, allOf(condition, considered)));
    const repetition: Repetition = { sqlFor: (stage) => countRepeated(stage, condition, plan), answers: [0, []] };
    return {
      settle: (answers) => {
        if (!proof(answers)) this.#repetitions.push(repetition);
      },
      outcome: (answers) => {
        const [count, rows] = repetition.answers;
        return { ...judge(answers, count), rows: rows as UnexpectedRow[] };
      },
    };
  }

  /** Whether nothing is repeated, as far as the pass over the stage can tell. */
  #askForProof(query: GroupQuery): (answers: Answers) => boolean {
    const distinct = this.#query.ask(query.distinctAtLeast, true);
    const rows = this.#query.ask(query.rows, true);
    return (answers) => answers[distinct] === answers[rows];
  }

  #groupOf(columns: RowPlan['columns'], considered: string | null, condition: string | null): Group {
    const query = new GroupQuery(columns, allOf(condition, considered));
    const known = this.#groups.get(query.key);
    if (known !== undefined) return known;
    const group = { query, isNeeded: false, answers: [] };
    this.#groups.set(query.key, group);
    return group;
  }
}

/** Rows that repeat one another, looked for where the pass has found that there may be some. */
interface Repetition {
  sqlFor: (stage: string) => string;
  /** How many they are, and the first of them. */
  answers: unknown[];
}

interface Group {
  query: GroupQuery;
  /** Somebody needs the groups themselves, not only to know how many they are. */
  isNeeded: boolean;
  answers: unknown[];
}

function groupedBy({ column }: GroupPlan): string | null {
  return column.notNull ? null : `${nameOf(column)} IS NOT NULL`;
}

function pick(answers: Answers, tickets: readonly Ticket[]): unknown[] {
  return tickets.map((ticket) => answers[ticket]);
}

function filter(predicate: string | null): string {
  return predicate === null ? '' : ` FILTER (WHERE ${predicate})`;
}

function countWhere(predicate: string | null): string {
  return `(count(*)${filter(predicate)})::float8`;
}
