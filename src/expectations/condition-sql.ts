// What a row condition says → an SQL predicate on the columns of a table. Null compares as it does in SQL: a row with a
// null in a compared column does not match, also under !=.
import type { Column, TablePlan } from '../model.ts';
import { quote } from '../sql.ts';
import { literalSql } from './condition-literal.ts';
import { type Comparator, type Condition, ConditionFault, excerpt, type Operand } from './condition-tree.ts';

/** Comparisons in one condition, at most: as in Great Expectations 1.x. */
const MOST_CONDITIONS = 100;

const OPERATORS: Readonly<Record<Comparator, string>> = {
  '==': '=',
  '!=': '<>',
  '<': '<',
  '<=': '<=',
  '>': '>',
  '>=': '>=',
};
const NUMERIC: ReadonlySet<Column['type']> = new Set(['bigint', 'double precision']);

/**
 * The predicate, in parentheses, with all its values in it.
 * @throws {ConditionFault} for columns that are not there and values that do not fit them
 */
export function conditionSql(condition: Condition, plan: TablePlan): string {
  if (countOf(condition) > MOST_CONDITIONS) {
    throw new ConditionFault(`a condition has at most ${MOST_CONDITIONS} comparisons`);
  }
  return new Writer(plan).write(condition);
}

function countOf(condition: Condition): number {
  if (condition.kind !== 'and' && condition.kind !== 'or') return 1;
  return condition.conditions.reduce((sum, each) => sum + countOf(each), 0);
}

class Writer {
  readonly #plan: TablePlan;

  constructor(plan: TablePlan) {
    this.#plan = plan;
  }

  write(condition: Condition): string {
    switch (condition.kind) {
      case 'and':
      case 'or': {
        const parts = condition.conditions.map((each) => this.write(each));
        return `(${parts.join(condition.kind === 'and' ? ' AND ' : ' OR ')})`;
      }
      case 'nullity':
        return `(${quote(this.#column(condition.column).name)} IS ${condition.isNull ? 'NULL' : 'NOT NULL'})`;
      case 'membership':
        return this.#membership(condition);
      default:
        return this.#comparison(condition);
    }
  }

  #comparison({ left, operator, right }: Extract<Condition, { kind: 'comparison' }>): string {
    const columns = [left, right].flatMap((side) => (side.kind === 'column' ? [this.#column(side.name)] : []));
    const [first, second] = columns;
    if (first === undefined) throw new ConditionFault('a comparison has a column on one side at least');
    if (second !== undefined) checkComparable(first, second);
    const sql = (side: Operand) => (side.kind === 'column' ? quote(side.name) : literalSql(side, first));
    return `(${sql(left)} ${OPERATORS[operator]} ${sql(right)})`;
  }

  /** In an empty list is nothing, not even a null, so that every row is outside of it: as SQLAlchemy writes it. */
  #membership({ of, values, isNegated }: Extract<Condition, { kind: 'membership' }>): string {
    if (of.kind !== 'column') throw new ConditionFault('what is looked for in a list is a column');
    const column = this.#column(of.name);
    const list = values.map((value) => literalSql(value, column));
    if (list.length === 0) return isNegated ? '(TRUE)' : '(FALSE)';
    return `(${quote(column.name)} ${isNegated ? 'NOT IN' : 'IN'} (${list.join(', ')}))`;
  }

  #column(name: string): Column {
    const found = this.#plan.columns.find((column) => column.name === name);
    if (found !== undefined) return found;
    throw new ConditionFault(`there is no column ${excerpt(name)} in events.${this.#plan.table}`);
  }
}

function checkComparable(left: Column, right: Column): void {
  const areNumbers = NUMERIC.has(left.type) && NUMERIC.has(right.type);
  if (areNumbers || (left.type === right.type && left.type !== 'jsonb')) return;
  const names = `${excerpt(left.name)} (${left.type}) and ${excerpt(right.name)} (${right.type})`;
  throw new ConditionFault(`the columns ${names} do not compare`);
}
