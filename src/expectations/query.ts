// The questions of many checks as few statements: each expression is asked once, all of one kind in one pass over the
// stage. Only text is made here.
import type { Column } from '../model.ts';
import { SORTED_DISTINCT } from './distinct.ts';
import { nameOf } from './table.ts';

/** A SELECT has at most 1,664 columns; and each of those that sort holds a column's values in memory. */
const MOST_COLUMNS = 1_000;
const MOST_SORTING = 12;

/** A question's place among the answers. */
export type Ticket = number;

export interface Statement {
  sql: string;
  tickets: readonly Ticket[];
}

/** Aggregates over all rows of a stage. */
export class AggregateQuery {
  readonly #asked = new Map<string, { ticket: Ticket; sorts: boolean; sqlFor: (stage: string) => string }>();

  /** @param question SQL, or what makes it once the stage is known */
  ask(question: string | ((stage: string) => string), sorts = false): Ticket {
    const sqlFor = typeof question === 'string' ? () => question : question;
    const key = sqlFor('');
    const known = this.#asked.get(key);
    if (known !== undefined) return known.ticket;
    const ticket = this.#asked.size;
    this.#asked.set(key, { ticket, sorts, sqlFor });
    return ticket;
  }

  /** What sorts is asked apart from what does not, which Postgres may then spread over several processes. */
  statements(stage: string): Statement[] {
    const questions = [...this.#asked.values()].map(({ sqlFor, ...rest }) => ({ ...rest, sql: sqlFor(stage) }));
    return [false, true].flatMap((sorts) => {
      const some = questions.filter((question) => question.sorts === sorts);
      const most = sorts ? MOST_SORTING : MOST_COLUMNS;
      const parts = Array.from({ length: Math.ceil(some.length / most) }, (_, at) =>
        some.slice(at * most, (at + 1) * most),
      );
      return parts.map((part) => ({
        sql: `SELECT ${part.map(({ sql }) => sql).join(',\n')}\nFROM ${stage}`,
        tickets: part.map(({ ticket }) => ticket),
      }));
    });
  }
}

/** The rows of a stage that have the same values in some columns, together. */
export class GroupQuery {
  readonly columns: readonly Column[];
  readonly where: string | null;
  // With an aggregate among them there is an answer also where there is no group.
  readonly #expressions = ['count(*)'];

  constructor(columns: readonly Column[], where: string | null) {
    this.columns = columns;
    this.where = where;
  }

  /** Queries with the same key can be one. */
  get key(): string {
    return JSON.stringify([this.columns.map(({ name }) => name), this.where]);
  }

  /** Expressions over `groups (v, n)`; with several columns over `n` alone. */
  ask(expressions: readonly string[]): Ticket[] {
    return expressions.map((sql) => this.#expressions.push(sql) - 1);
  }

  get isAsked(): boolean {
    return this.#expressions.length > 1;
  }

  sql(stage: string): string {
    const names = this.columns.map(nameOf).join(', ');
    const value = this.columns.length === 1 ? `${names} AS v, ` : '';
    const where = this.where === null ? '' : ` WHERE ${this.where}`;
    return `WITH groups AS (SELECT ${value}count(*) AS n FROM ${stage}${where} GROUP BY ${names})
      SELECT ${this.#expressions.join(',\n')} FROM groups`;
  }

  /**
   * How many different values there are at least: exactly as many as there are rows only where none is repeated. Hashes
   * take the place of values that are long; two values with one hash make the number smaller.
   */
  get distinctAtLeast(): string {
    return `count(DISTINCT ${hashOf(this.columns)})${this.#filter()}`;
  }

  get rows(): string {
    return `count(*)${this.#filter()}`;
  }

  #filter(): string {
    return this.where === null ? '' : ` FILTER (WHERE ${this.where})`;
  }
}

function hashOf(columns: readonly Column[]): string {
  const [column] = columns;
  if (columns.length > 1) return `hash_record_extended(ROW(${columns.map(nameOf).join(', ')}), 0)`;
  const name = nameOf(column!);
  if (SORTED_DISTINCT.has(column!.type)) return name;
  const functions = { text: 'hashtextextended', uuid: 'uuid_hash_extended', jsonb: 'jsonb_hash_extended' };
  return `${functions[column!.type as keyof typeof functions]}(${name}, 0)`;
}

/**
 * CTEs for the rows that repeat one another: `offending (_line, _schema_version, c0, c1, …, times)` has them with their
 * values in those columns, and `repeated (k, times)` each repeated value. Rows whose hash is there twice are few as a
 * rule, so that only they are compared as a whole.
 */
export function repeatedRows(stage: string, columns: readonly Column[], where: string | null): string {
  const names = columns.map(nameOf);
  const hash = hashOf(columns);
  // Records with a null in them are equal to one another, as they are to GROUP BY.
  const key = columns.length === 1 ? names[0]! : `ROW(${names.join(', ')})`;
  const values = names.map((name, at) => `${name} AS c${at}`).join(', ');
  const from = `FROM ${stage} WHERE (${where ?? 'TRUE'})`;
  return `WITH suspects AS MATERIALIZED (
      SELECT _line, _schema_version, ${values}, ${key} AS k ${from}
        AND ${hash} IN (SELECT h FROM (SELECT ${hash} AS h ${from}) AS hashes GROUP BY h HAVING count(*) > 1)),
    repeated AS MATERIALIZED (SELECT k, count(*) AS times FROM suspects GROUP BY k HAVING count(*) > 1),
    offending AS (SELECT suspects.*, repeated.times FROM suspects JOIN repeated ON suspects.k = repeated.k)`;
}
