// The row conditions of Great Expectations 1.x, which stand in a suite as objects → what they say.
// Their form: great_expectations/expectations/conditions.py.
import { type Condition, ConditionFault, excerpt, isComparator, type Literal, MOST_LEVELS } from './condition-tree.ts';

type Members = Readonly<Record<string, unknown>>;

const KNOWN = 'understood are comparison, column_comparison, nullity, and, or';

/**
 * Reads a condition.
 * @throws {ConditionFault}
 */
export function readObject(value: unknown, level = 0): Condition {
  if (!isObject(value)) throw new ConditionFault('a condition is an object with a type');
  const { type } = value;
  switch (type) {
    case 'comparison':
      return comparison(value);
    case 'column_comparison': {
      const { operator } = value;
      if (!isComparator(operator)) throw unknownOperator(operator);
      const left = { kind: 'column', name: nameOf(value.column) } as const;
      return { kind: 'comparison', left, operator, right: { kind: 'column', name: nameOf(value.other_column) } };
    }
    case 'nullity': {
      const { is_null: isNull } = value;
      if (typeof isNull !== 'boolean') throw new ConditionFault('is_null is true or false');
      return { kind: 'nullity', column: nameOf(value.column), isNull };
    }
    case 'and':
    case 'or':
      return group(type, value.conditions, level);
    case 'pass_through':
      throw new ConditionFault('a pass_through condition is for pandas and Spark, not for SQL');
    default:
      throw new ConditionFault(`a condition of type ${shown(type)} is not supported; ${KNOWN}`);
  }
}

function group(kind: 'and' | 'or', conditions: unknown, level: number): Condition {
  if (!Array.isArray(conditions) || conditions.length === 0) {
    throw new ConditionFault(`${kind} has a list of conditions, at least one`);
  }
  if (level === MOST_LEVELS) throw new ConditionFault(`conditions are nested deeper than ${MOST_LEVELS} levels`);
  return { kind, conditions: conditions.map((each) => readObject(each, level + 1)) };
}

function comparison({ column, operator, parameter }: Members): Condition {
  const of = { kind: 'column', name: nameOf(column) } as const;
  if (operator === 'IN' || operator === 'NOT_IN') {
    if (!Array.isArray(parameter)) throw new ConditionFault(`the parameter of ${operator} is a list`);
    return { kind: 'membership', of, values: parameter.map(literalOf), isNegated: operator === 'NOT_IN' };
  }
  if (!isComparator(operator)) throw unknownOperator(operator);
  return { kind: 'comparison', left: of, operator, right: literalOf(parameter) };
}

function nameOf(column: unknown): string {
  const name = isObject(column) ? column.name : undefined;
  if (typeof name !== 'string') throw new ConditionFault('a column is an object with a name');
  return name;
}

function literalOf(value: unknown): Literal {
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (typeof value === 'boolean') return { kind: 'boolean', value };
  if (typeof value !== 'number') {
    throw new ConditionFault(`a parameter is text, a number, true or false, not ${shown(value)}`);
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new ConditionFault(
      `the number ${value} may not be the one in the file, for it is beyond 2^53: put it in quotes`,
    );
  }
  return { kind: 'number', text: String(value) };
}

function unknownOperator(operator: unknown): ConditionFault {
  return new ConditionFault(
    `the operator ${shown(operator)} is not supported here; understood are ==, !=, <, <=, >, >=, IN, NOT_IN`,
  );
}

function shown(value: unknown): string {
  return excerpt(typeof value === 'string' ? value : (JSON.stringify(value) ?? 'nothing'));
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
