// `row_condition` of a check → an SQL predicate. Here stands which ways of writing one are understood; each has a reader
// of its own. Pure.
import type { TablePlan } from '../model.ts';
import { readObject } from './condition-object.ts';
import { readText } from './condition-parser.ts';
import { conditionSql } from './condition-sql.ts';
import type { Dialect } from './condition-tokens.ts';
import { type Condition, ConditionFault, excerpt } from './condition-tree.ts';

/** Names of `condition_parser`. The long one is what Great Expectations called its grammar before 1.0. */
const DIALECTS: ReadonlyMap<unknown, Dialect> = new Map<unknown, Dialect>([
  ['great_expectations', 'great_expectations'],
  ['great_expectations__experimental__', 'great_expectations'],
  ['pandas', 'pandas'],
]);
const SUPPORTED = '"great_expectations" and "pandas" are supported';

/**
 * Reads a row condition: text in the grammar that `parser` names, or the object of Great Expectations 1.x, which needs
 * no parser. Null compares as in SQL.
 * @param parser `condition_parser` of the same check
 * @returns a predicate in parentheses over quoted columns, with its values in it as literals; or why there is none
 */
export function parseCondition(
  condition: unknown,
  parser: unknown,
  plan: TablePlan,
): { sql: string } | { reason: string } {
  try {
    return { sql: conditionSql(read(condition, parser), plan) };
  } catch (error) {
    if (!(error instanceof ConditionFault)) throw error;
    return { reason: error.message };
  }
}

function read(condition: unknown, parser: unknown): Condition {
  if (typeof condition !== 'string') return readObject(condition);
  if (parser === undefined || parser === null) {
    throw new ConditionFault(`a row_condition needs a condition_parser beside it: ${SUPPORTED}`);
  }
  const dialect = DIALECTS.get(parser);
  if (dialect !== undefined) return readText(condition, dialect);
  const name = excerpt(typeof parser === 'string' ? parser : (JSON.stringify(parser) ?? ''));
  throw new ConditionFault(`the condition_parser ${name} is not supported: ${SUPPORTED}`);
}
