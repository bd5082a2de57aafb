// The SQL of subjects' tables: what a plan needs, and what is missing from what stands there, each statement with its
// price. Pure: text in, text out. Additive only: a column is never dropped.
//
// Of the changes a schema can make to a value, few reach the table. Bounds, patterns and enums are no matter of the
// column: every integer is a bigint, every string a text without a length. A property that gets another type gets a
// further column (columns.ts), for bigint to double precision, to jsonb or from timestamptz to text rewrites the table
// and changes what is there. So a column's type only ever changes where somebody else made it narrower than ours and
// Postgres can widen it by a note in the catalogue ({@link WIDENS}).

import type { Column, ColumnType, TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import { quote } from '../sql.ts';

export const TABLE_SCHEMAS = ['events', 'stage'] as const;
export type TableSchema = (typeof TABLE_SCHEMAS)[number];

/** A column as the plan wants it. */
export interface Definition {
  name: string;
  type: ColumnType | 'integer';
  notNull: boolean;
}

/**
 * Lock modes that our statements take, and what they keep others from:
 * https://www.postgresql.org/docs/current/explicit-locking.html#LOCKING-TABLES
 */
type Lock = 'ACCESS EXCLUSIVE' | 'SHARE' | 'SHARE UPDATE EXCLUSIVE';

/**
 * One statement and its price, from Postgres's own pages: sql-altertable.html (ADD COLUMN without a default, DROP NOT
 * NULL and a TYPE that is binary coercible change the catalogue only, under ACCESS EXCLUSIVE), sql-createindex.html
 * (SHARE, and with CONCURRENTLY SHARE UPDATE EXCLUSIVE, outside of a transaction), sql-comment.html.
 */
export interface Statement {
  sql: string;
  /** The table it is about, as SQL names it; null for a schema. */
  table: string | null;
  /** On `table`; null where the table is made by the same plan and nobody else can know it yet. */
  lock: Lock | null;
  /** None of ours does: what would is refused. */
  rewrites: boolean;
  /** Reads every row, so it takes as long as the table is large. */
  scans: boolean;
  /** Has to run outside of a transaction: on a standing table, so that writers go on meanwhile. */
  apart: boolean;
}

/** Every row of final: which batch, which line of it, by which schema version, received when. */
const PROVENANCE: readonly Definition[] = [
  { name: '_batch_id', type: 'uuid', notNull: true },
  { name: '_line', type: 'integer', notNull: true },
  { name: '_schema_version', type: 'text', notNull: true },
  { name: '_received_at', type: 'timestamptz', notNull: true },
];

/** Types as `format_type` names them. */
const CATALOGUE_NAME: Readonly<Partial<Record<Definition['type'], string>>> = {
  timestamptz: 'timestamp with time zone',
};

/**
 * Types that Postgres widens to one of ours without touching a row: varchar to text is binary coercible; for the
 * precision of timestamps see https://www.postgresql.org/docs/release/9.2.0/ (E.23.3.4).
 */
const WIDENS: Readonly<Partial<Record<Definition['type'], RegExp>>> = {
  text: /^character varying(\(\d+\))?$/,
  timestamptz: /^timestamp\(\d\) with time zone$/,
};

/** A table as the catalogue has it. */
export interface StandingTable {
  /** `pg_class.relkind`: `r` is a table, `p` a partitioned one. */
  kind: string;
  columns: ReadonlyMap<string, StandingColumn>;
  indexes: readonly StandingIndex[];
  /** Constraints, triggers and row security policies, in words: always somebody else's, for ours has none. */
  own: readonly string[];
}

export interface StandingColumn {
  /** As `format_type` names it. */
  type: string;
  notNull: boolean;
  /** A default, an identity or a generation expression. */
  hasDefault: boolean;
  /** The default or the expression, as SQL; null for an identity. */
  default: string | null;
  comment: string | null;
}

export interface StandingIndex {
  name: string;
  /** Names of its columns; null stands for an expression. */
  columns: readonly (string | null)[];
  /** `btree`, `brin` … */
  method: string;
  unique: boolean;
  partial: boolean;
  /** False: what a CREATE INDEX CONCURRENTLY left behind that did not come to its end. */
  valid: boolean;
}

/** What keeps a table from becoming what its plan says. */
export class TableConflict extends Error {}

/** Statements that make a table and its stage from nothing. */
export function createTable(plan: TablePlan): Statement[] {
  return TABLE_SCHEMAS.flatMap((schema) => createIn(schema, plan));
}

/**
 * Statements that bring a standing table up to its plan, in the order in which they have to run; none where it is up
 * to date. The ones apart come first where they can fail on the rows that are there, so that nothing is done yet then.
 * @throws {TableConflict} where that would mean to rewrite the table, or where it is no table of ours
 */
export function updateTable(schema: TableSchema, plan: TablePlan, standing: StandingTable | undefined): Statement[] {
  if (standing === undefined) return createIn(schema, plan);
  const table = nameOf(schema, plan);
  const fault = faultOf(table, standing);
  if (fault !== undefined) throw new TableConflict(fault);
  const wanted = definitionsOf(plan);
  const changes = [
    ...addedColumns(wanted, standing),
    ...widenedColumns(table, wanted, standing),
    ...freedColumns(wanted, standing),
  ];
  const alter = changes.length > 0 ? [`ALTER TABLE ${table} ${changes.join(', ')}`] : [];
  const inPlace = { table, lock: 'ACCESS EXCLUSIVE', rewrites: false, scans: false, apart: false } as const;
  const altered = alter.map((sql) => ({ sql, ...inPlace }));
  if (schema === 'stage') return altered;
  const stood = (column: Column) => standing.columns.has(column.name);
  const added = plan.columns.filter((column) => !stood(column));
  const ids = plan.columns.filter((column) => column.id && uniqueIndexOn(standing, column.name) === undefined);
  return [
    ...leftovers(standing, plan),
    ...ids.filter(stood).map((column) => lateIndex(uniqueIndex(column, plan), standing, table)),
    ...(batchIndexOf(standing) === undefined ? [lateIndex(batchIndex(plan), standing, table)] : []),
    ...altered,
    ...added.map((column) => ({ ...inPlace, sql: comment(column, plan), lock: 'SHARE UPDATE EXCLUSIVE' as const })),
    ...ids.filter((column) => !stood(column)).map((column) => lateIndex(uniqueIndex(column, plan), standing, table)),
  ];
}

/** What {@link createTable} makes, as the catalogue would have it: for plans without a database. */
function standingAs(schema: TableSchema, plan: TablePlan): StandingTable {
  const index = { partial: false, valid: true };
  const ids = plan.columns.filter((column) => column.id);
  return {
    kind: 'r',
    columns: new Map(
      definitionsOf(plan).map(({ name, type, notNull }) => {
        const column = { type: catalogueName(type), notNull, hasDefault: false, default: null, comment: null };
        return [name, column];
      }),
    ),
    indexes:
      schema === 'stage'
        ? []
        : [
            { ...index, name: 'batch', columns: ['_batch_id'], method: 'brin', unique: false },
            ...ids.map(({ name }) => ({ ...index, name, columns: [name], method: 'btree', unique: true })),
          ],
    own: [],
  };
}

/** Statements from one plan of a table to its next; all of them where there was none. */
export function stepFrom(before: TablePlan | undefined, after: TablePlan): Statement[] {
  if (before === undefined) return createTable(after);
  return TABLE_SCHEMAS.flatMap((schema) => updateTable(schema, after, standingAs(schema, before)));
}

/** Why this cannot be a table of ours; undefined where it can. */
export function faultOf(table: string, { kind, columns }: StandingTable): string | undefined {
  if (kind !== 'r' && kind !== 'p') return `${table} is not a table`;
  const missing = PROVENANCE.find(({ name }) => !columns.has(name));
  return missing && `${table} has no column ${missing.name}: it is not one of ours`;
}

/** All columns of a table and its stage, in the order in which a new table has them. */
export function definitionsOf({ columns, extra }: TablePlan): Definition[] {
  return [...columns, ...(extra ? [{ name: '_extra', type: 'jsonb', notNull: false } as const] : []), ...PROVENANCE];
}

/** The type as the catalogue spells it. */
export function catalogueName(type: Definition['type']): string {
  return CATALOGUE_NAME[type] ?? type;
}

/** The comment on a data column: where in the event its value stands. Text in Postgres cannot hold NUL. */
export function commentOn({ path }: Pick<Column, 'path'>): string {
  return pointer(path).replaceAll('\0', '\\u0000');
}

export function nameOf(schema: TableSchema, { table }: Pick<TablePlan, 'table'>): string {
  return `${schema}.${quote(table)}`;
}

/** The index that makes a column unique by itself, whoever made it. */
export function uniqueIndexOn({ indexes }: StandingTable, column: string): StandingIndex | undefined {
  return indexes.find((index) => index.valid && isUniqueOn(index, column));
}

/** The index by which a batch's rows are found. */
export function batchIndexOf({ indexes }: StandingTable): StandingIndex | undefined {
  return indexes.find(({ columns, valid, partial }) => valid && !partial && columns[0] === '_batch_id');
}

/** Indexes that were to become one of ours and did not: Postgres keeps them up to date, and nobody may use them. */
export function unfinishedIndexes({ indexes }: StandingTable, plan: TablePlan): StandingIndex[] {
  const ids = plan.columns.filter((column) => column.id).map(({ name }) => name);
  return indexes.filter(
    (index) =>
      !index.valid &&
      (ids.some((id) => isUniqueOn(index, id)) || (index.method === 'brin' && index.columns[0] === '_batch_id')),
  );
}

function isUniqueOn({ unique, partial, columns }: StandingIndex, column: string): boolean {
  return unique && !partial && columns.length === 1 && columns[0] === column;
}

function createIn(schema: TableSchema, plan: TablePlan): Statement[] {
  const table = nameOf(schema, plan);
  const columns = definitionsOf(plan).map(
    ({ name, type, notNull }) => `${quote(name)} ${type}${notNull ? ' NOT NULL' : ''}`,
  );
  const create = `CREATE TABLE ${table} (${columns.join(', ')})`;
  const all =
    schema === 'stage'
      ? [create]
      : [create, batchIndex(plan), ...plan.columns.flatMap((column) => finish(column, plan))];
  return all.map((sql) => ({ sql, table, lock: null, rewrites: false, scans: false, apart: false }));
}

/** In final each column tells where its value comes from, and the id is unique. */
function finish(column: Column, plan: TablePlan): string[] {
  return column.id ? [comment(column, plan), uniqueIndex(column, plan)] : [comment(column, plan)];
}

function comment(column: Column, plan: TablePlan): string {
  return `COMMENT ON COLUMN ${nameOf('events', plan)}.${quote(column.name)} IS ${literal(commentOn(column))}`;
}

function uniqueIndex({ name }: Column, plan: TablePlan): string {
  return `CREATE UNIQUE INDEX ON ${nameOf('events', plan)} (${quote(name)})`;
}

/** BRIN: a batch's rows stand together, and the index costs next to nothing while rows are written. */
function batchIndex(plan: TablePlan): string {
  return `CREATE INDEX ON ${nameOf('events', plan)} USING brin (${quote('_batch_id')})`;
}

/** An index on a table that has rows. Of partitioned tables Postgres builds none concurrently. */
function lateIndex(sql: string, { kind }: StandingTable, table: string): Statement {
  const apart = kind === 'r';
  return {
    sql: apart ? sql.replace(' INDEX ON ', ' INDEX CONCURRENTLY ON ') : sql,
    table,
    lock: apart ? 'SHARE UPDATE EXCLUSIVE' : 'SHARE',
    rewrites: false,
    scans: true,
    apart,
  };
}

function leftovers(standing: StandingTable, plan: TablePlan): Statement[] {
  const common = { lock: 'SHARE UPDATE EXCLUSIVE', rewrites: false, scans: false, apart: true } as const;
  return unfinishedIndexes(standing, plan).map(({ name }) => ({
    sql: `DROP INDEX CONCURRENTLY IF EXISTS events.${quote(name)}`,
    table: nameOf('events', plan),
    ...common,
  }));
}

/** New columns are nullable: the rows that are there have no value for them. */
function addedColumns(wanted: readonly Definition[], { columns }: StandingTable): string[] {
  return wanted.filter(({ name }) => !columns.has(name)).map(({ name, type }) => `ADD COLUMN ${quote(name)} ${type}`);
}

function widenedColumns(table: string, wanted: readonly Definition[], { columns }: StandingTable): string[] {
  return wanted.flatMap(({ name, type }) => {
    const found = columns.get(name)?.type;
    if (found === undefined || found === catalogueName(type)) return [];
    if (WIDENS[type]?.test(found)) return [`ALTER COLUMN ${quote(name)} TYPE ${type}`];
    const expected = catalogueName(type);
    throw new TableConflict(`${table}: column ${quote(name)} has type ${found}, the schemas say ${expected}`);
  });
}

/**
 * What no version demands any more, or no version knows any more, must not keep rows out. A default helps only where
 * the column is left out of the INSERT, as unknown ones are. An identity cannot be freed.
 */
function freedColumns(wanted: readonly Definition[], { columns }: StandingTable): string[] {
  const definitions = new Map(wanted.map((definition) => [definition.name, definition]));
  const keepsOut = ([name, column]: [string, StandingColumn]): boolean => {
    const definition = definitions.get(name);
    if (!column.notNull || definition?.notNull === true) return false;
    return !column.hasDefault || (definition !== undefined && column.default !== null);
  };
  return [...columns].filter(keepsOut).map(([name]) => `ALTER COLUMN ${quote(name)} DROP NOT NULL`);
}

/** A string constant. */
function literal(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
