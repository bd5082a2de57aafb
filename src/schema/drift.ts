// Where the real tables are not what the schemas say. Pure: plans and catalogue in, differences out; changes nothing.
// What users added beside our columns (constraints, triggers, indexes, views) is named as theirs and is no fault.
import type { Column, TablePlan } from '../model.ts';
import { quote } from '../sql.ts';
import { type Catalogue, catalogueKey, type StandingRelation } from './catalogue.ts';
import {
  batchIndexOf,
  catalogueName,
  commentOn,
  type Definition,
  definitionsOf,
  faultOf,
  nameOf,
  type StandingColumn,
  type StandingTable,
  TABLE_SCHEMAS,
  type TableSchema,
  unfinishedIndexes,
  uniqueIndexOn,
} from './ddl.ts';

/** Names are stable: tools filter them. */
type DriftType =
  | 'missing_table'
  | 'extra_table'
  | 'not_our_table'
  | 'missing_column'
  | 'extra_column'
  | 'type_differs'
  | 'nullability_differs'
  | 'default_differs'
  | 'missing_index'
  | 'invalid_index'
  | 'comment_differs'
  | 'yours';

export interface Drift {
  type: DriftType;
  /** As SQL names it: `events."user_event"`. */
  table: string;
  column?: string;
  /** What the schemas say, and what stands there; absent where one of them is nothing. */
  expected?: string;
  found?: string;
  /** One sentence. */
  message: string;
  /** `sluice migrate` puts it right. */
  migrate: boolean;
}

type Detail = Partial<Pick<Drift, 'column' | 'expected' | 'found' | 'migrate'>>;

/** All differences, by table. Those of type `yours` are no drift. */
export function findDrift(plans: readonly TablePlan[], catalogue: Catalogue): Drift[] {
  const planned = new Set<string>();
  const drifts = plans.flatMap((plan) =>
    TABLE_SCHEMAS.flatMap((schema) => {
      const key = catalogueKey(schema, plan.table);
      planned.add(key);
      return tableDrift(schema, plan, catalogue.get(key));
    }),
  );
  const others = [...catalogue].filter(([key, { isPartition }]) => !planned.has(key) && !isPartition);
  return [...drifts, ...others.flatMap(([, relation]) => unplanned(relation))];
}

/** A stage of a batch under way, see load/stage.ts. */
const BATCH_STAGE = /^0[0-9a-f]{32}_\d+$/;

function unplanned(relation: StandingRelation): Drift[] {
  const { schema, name, kind } = relation;
  const table = nameOf(schema, { table: name });
  if (schema === 'stage' && BATCH_STAGE.test(name)) return [];
  if (kind !== 'r' && kind !== 'p') return [yours(table, `${table} is a view or a foreign table of yours`)];
  if (faultOf(table, relation) !== undefined) return [yours(table, `${table} is a table of yours`)];
  return [drift('extra_table', table, `${table} has no schema: no version of the folder belongs to it`)];
}

function tableDrift(schema: TableSchema, plan: TablePlan, standing: StandingRelation | undefined): Drift[] {
  const table = nameOf(schema, plan);
  if (standing === undefined) return [drift('missing_table', table, `${table} is missing`, { migrate: true })];
  const fault = faultOf(table, standing);
  if (fault !== undefined) return [drift('not_our_table', table, fault)];
  const wanted = definitionsOf(plan);
  const names = new Set(wanted.map(({ name }) => name));
  return [
    ...wanted.flatMap((definition) => columnDrift(table, definition, standing.columns.get(definition.name))),
    ...[...standing.columns].filter(([name]) => !names.has(name)).map(([name, found]) => extra(table, name, found)),
    ...(schema === 'events' ? [...indexDrift(plan, standing), ...commentDrift(plan, standing)] : []),
    ...standing.own.map((what) => yours(table, `${table} has a ${what} of yours`)),
  ];
}

function columnDrift(table: string, { name, type, notNull }: Definition, found: StandingColumn | undefined): Drift[] {
  const expected = `${catalogueName(type)}${notNull ? ' NOT NULL' : ''}`;
  const about = `${table}: column ${quote(name)}`;
  if (found === undefined) {
    const message = `${about} is missing`;
    return [drift('missing_column', table, message, { column: name, expected, migrate: true })];
  }
  const drifts: Drift[] = [];
  const add = (kind: DriftType, message: string, detail: Detail): void => {
    drifts.push(drift(kind, table, `${about} ${message}`, { column: name, ...detail }));
  };
  if (found.type !== catalogueName(type)) {
    const message = `has type ${found.type}, the schemas say ${catalogueName(type)}`;
    add('type_differs', message, { expected: catalogueName(type), found: found.type });
  }
  if (found.notNull && !notNull) {
    const message = 'is NOT NULL, and not every version has a value for it';
    add('nullability_differs', message, { expected: 'NULL', found: 'NOT NULL', migrate: !isIdentity(found) });
  }
  if (!found.notNull && notNull) {
    const message = 'may be NULL, and every version has a value for it';
    add('nullability_differs', message, { expected: 'NOT NULL', found: 'NULL' });
  }
  if (found.hasDefault) {
    const is = found.default ?? 'identity';
    add('default_differs', `has a default (${is}), the schemas give it none`, { found: is });
  }
  return drifts;
}

function isIdentity({ hasDefault, default: expression }: StandingColumn): boolean {
  return hasDefault && expression === null;
}

function extra(table: string, column: string, { type, notNull, hasDefault, comment }: StandingColumn): Drift {
  const from = comment?.startsWith('/') ? ` (it held ${comment})` : '';
  const message = `${table}: column ${quote(column)} is in no version of the folder${from}`;
  const keepsOut = notNull && !hasDefault;
  return drift('extra_column', table, keepsOut ? `${message} and is NOT NULL, which keeps every row out` : message, {
    column,
    found: type,
  });
}

function indexDrift(plan: TablePlan, standing: StandingTable): Drift[] {
  const table = nameOf('events', plan);
  const ids = plan.columns.filter((column) => column.id);
  const missing = (column: string, expected: string) =>
    drift('missing_index', table, `${table}: the ${expected} is missing`, { column, expected, migrate: true });
  const unfinished = unfinishedIndexes(standing, plan);
  const used = new Set([batchIndexOf(standing), ...ids.map(({ name }) => uniqueIndexOn(standing, name))]);
  return [
    ...(batchIndexOf(standing) === undefined ? [missing('_batch_id', 'BRIN index on "_batch_id"')] : []),
    ...ids
      .filter(({ name }) => uniqueIndexOn(standing, name) === undefined)
      .map(({ name }) => missing(name, `unique index on ${quote(name)}`)),
    ...standing.indexes
      .filter((index) => !used.has(index))
      .map((index) => {
        const { name, valid } = index;
        if (valid) return yours(table, `${table} has an index ${quote(name)} of yours`);
        const message = `${table}: index ${quote(name)} was not built to its end`;
        return drift('invalid_index', table, message, { found: name, migrate: unfinished.includes(index) });
      }),
  ];
}

function commentDrift(plan: TablePlan, { columns }: StandingTable): Drift[] {
  const table = nameOf('events', plan);
  const differs = (column: Column): boolean => {
    const standing = columns.get(column.name);
    return standing !== undefined && standing.comment !== commentOn(column);
  };
  return plan.columns.filter(differs).map((column) => {
    const found = columns.get(column.name)!.comment;
    const is = found === null ? 'has no comment' : `has the comment ${JSON.stringify(found)}`;
    const message = `${table}: column ${quote(column.name)} ${is}, its place in the event is ${commentOn(column)}`;
    const detail = { column: column.name, expected: commentOn(column), ...(found !== null && { found }) };
    return drift('comment_differs', table, message, detail);
  });
}

function drift(type: DriftType, table: string, message: string, detail: Detail = {}): Drift {
  return { type, table, ...detail, message, migrate: detail.migrate ?? false };
}

function yours(table: string, message: string): Drift {
  return drift('yours', table, message);
}
