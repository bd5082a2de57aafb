// The SQL of subjects' tables: what a plan needs, and what is missing from what stands there. Pure: text in, text out.
// Additive only. A column is never dropped and never changes its type.

import type { Column, ColumnType, TablePlan } from '../model.ts';
import { pointer } from '../pointer.ts';
import { quote } from '../sql.ts';

export const TABLE_SCHEMAS = ['events', 'stage'] as const;
export type TableSchema = (typeof TABLE_SCHEMAS)[number];

interface Definition {
  name: string;
  type: ColumnType | 'integer';
  notNull: boolean;
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

/** A table as the catalogue has it. */
export interface StandingTable {
  /** `pg_class.relkind`: `r` is a table, `p` a partitioned one. */
  kind: string;
  columns: ReadonlyMap<string, StandingColumn>;
}

export interface StandingColumn {
  /** As `format_type` names it. */
  type: string;
  notNull: boolean;
  hasDefault: boolean;
  /** A unique index on this column alone. */
  unique: boolean;
}

/** What keeps a table from becoming what its plan says. */
export class TableConflict extends Error {}

/** Statements that make a table and its stage from nothing. */
export function createTable(plan: TablePlan): string[] {
  return TABLE_SCHEMAS.flatMap((schema) => createIn(schema, plan));
}

/**
 * Statements that bring a standing table up to its plan; none where it is up to date.
 * @throws {TableConflict} where that would mean to change a column's type, or where it is no table of ours
 */
export function updateTable(schema: TableSchema, plan: TablePlan, standing: StandingTable | undefined): string[] {
  if (standing === undefined) return createIn(schema, plan);
  const table = nameOf(schema, plan);
  if (standing.kind !== 'r' && standing.kind !== 'p') throw new TableConflict(`${table} is not a table`);
  for (const { name } of PROVENANCE) {
    if (!standing.columns.has(name)) throw new TableConflict(`${table} has no column ${name}: it is not one of ours`);
  }
  const wanted = definitionsOf(plan);
  for (const { name, type } of wanted) {
    const found = standing.columns.get(name)?.type;
    const expected = CATALOGUE_NAME[type] ?? type;
    if (found !== undefined && found !== expected) {
      throw new TableConflict(`${table}: column ${quote(name)} has type ${found}, the schemas say ${expected}`);
    }
  }
  const changes = [...addedColumns(wanted, standing), ...freedColumns(wanted, standing)];
  return [
    ...(changes.length > 0 ? [`ALTER TABLE ${table} ${changes.join(', ')}`] : []),
    ...(schema === 'events' ? lateFinishing(plan, standing) : []),
  ];
}

function createIn(schema: TableSchema, plan: TablePlan): string[] {
  const table = nameOf(schema, plan);
  const columns = definitionsOf(plan).map(
    ({ name, type, notNull }) => `${quote(name)} ${type}${notNull ? ' NOT NULL' : ''}`,
  );
  const create = `CREATE TABLE ${table} (${columns.join(', ')})`;
  if (schema === 'stage') return [create];
  // BRIN: a batch's rows stand together, and the index costs next to nothing while rows are written.
  const index = `CREATE INDEX ON ${table} USING brin (${quote('_batch_id')})`;
  return [create, index, ...plan.columns.flatMap((column) => finish(column, plan))];
}

/** In final each column tells where its value comes from, and the id is unique. */
function finish(column: Column, plan: TablePlan): string[] {
  const table = nameOf('events', plan);
  const comment = `COMMENT ON COLUMN ${table}.${quote(column.name)} IS ${literal(pointer(column.path))}`;
  return column.id ? [comment, uniqueIndex(column, plan)] : [comment];
}

function lateFinishing(plan: TablePlan, { columns }: StandingTable): string[] {
  return plan.columns.flatMap((column) => {
    const standing = columns.get(column.name);
    if (standing === undefined) return finish(column, plan);
    return column.id && !standing.unique ? [uniqueIndex(column, plan)] : [];
  });
}

function uniqueIndex({ name }: Column, plan: TablePlan): string {
  return `CREATE UNIQUE INDEX ON ${nameOf('events', plan)} (${quote(name)})`;
}

/** New columns are nullable: the rows that are there have no value for them. */
function addedColumns(wanted: readonly Definition[], { columns }: StandingTable): string[] {
  return wanted.filter(({ name }) => !columns.has(name)).map(({ name, type }) => `ADD COLUMN ${quote(name)} ${type}`);
}

/** What no version demands any more, or no version knows any more, must not keep rows out. */
function freedColumns(wanted: readonly Definition[], { columns }: StandingTable): string[] {
  const demanded = new Set(wanted.filter(({ notNull }) => notNull).map(({ name }) => name));
  return [...columns]
    .filter(([name, { notNull, hasDefault }]) => notNull && !hasDefault && !demanded.has(name))
    .map(([name]) => `ALTER COLUMN ${quote(name)} DROP NOT NULL`);
}

function definitionsOf({ columns, extra }: TablePlan): Definition[] {
  return [...columns, ...(extra ? [{ name: '_extra', type: 'jsonb', notNull: false } as const] : []), ...PROVENANCE];
}

function nameOf(schema: TableSchema, { table }: TablePlan): string {
  return `${schema}.${quote(table)}`;
}

/** A string constant. Text in Postgres cannot hold NUL. */
function literal(text: string): string {
  const quoted = `'${text.replaceAll('\0', '\\u0000').replaceAll("'", "''")}'`;
  return quoted.includes('\\') ? `E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}
