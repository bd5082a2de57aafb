// What Postgres says of the tables in `events` and `stage`. One question for thousands of tables; nothing is changed.
import type { Connection } from '../advisory-lock.ts';
import { type StandingColumn, type StandingIndex, type StandingTable, TABLE_SCHEMAS, type TableSchema } from './ddl.ts';

/** A relation, and where it stands. */
export interface StandingRelation extends StandingTable {
  schema: TableSchema;
  name: string;
  /** It is a part of a partitioned table. */
  isPartition: boolean;
}

/** `schema.table` → what stands there. */
export type Catalogue = ReadonlyMap<string, StandingRelation>;

export function catalogueKey(schema: TableSchema, table: string): string {
  return `${schema}.${table}`;
}

/** @param names tables to look for; null: all that are there */
export async function readCatalogue(connection: Connection, names: readonly string[] | null): Promise<Catalogue> {
  const { rows } = await connection.query(CATALOGUE, [TABLE_SCHEMAS, names]);
  return new Map((rows as CatalogueRow[]).map((row) => [catalogueKey(row.schema, row.name), relationOf(row)]));
}

/** Those of our schemas (in the sense of Postgres) that are not there. */
export async function missingSchemas(connection: Connection): Promise<TableSchema[]> {
  const { rows } = await connection.query(
    'SELECT nspname AS name FROM pg_catalog.pg_namespace WHERE nspname = ANY($1)',
    [TABLE_SCHEMAS],
  );
  const found = new Set((rows as { name: string }[]).map(({ name }) => name));
  return TABLE_SCHEMAS.filter((schema) => !found.has(schema));
}

// Constraints of type `n` are NOT NULL itself, which Postgres 18 keeps as constraints too.
const CATALOGUE = `
  SELECT n.nspname AS schema, c.relname AS name, c.relkind AS kind, c.relispartition AS "isPartition",
         (SELECT coalesce(json_agg(json_build_array(
                   a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull,
                   a.atthasdef OR a.attidentity <> '', pg_catalog.pg_get_expr(d.adbin, d.adrelid),
                   pg_catalog.col_description(c.oid, a.attnum)) ORDER BY a.attnum), '[]')
            FROM pg_catalog.pg_attribute a
            LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
           WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         (SELECT coalesce(json_agg(json_build_array(
                   x.relname,
                   (SELECT json_agg(k.attname ORDER BY key.place)
                      FROM unnest(i.indkey[0:i.indnkeyatts - 1]) WITH ORDINALITY AS key (number, place)
                      LEFT JOIN pg_catalog.pg_attribute k ON k.attrelid = c.oid AND k.attnum = key.number AND k.attnum > 0),
                   m.amname, i.indisunique, i.indpred IS NOT NULL, i.indisvalid) ORDER BY x.relname), '[]')
            FROM pg_catalog.pg_index i
            JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
            JOIN pg_catalog.pg_am m ON m.oid = x.relam
           WHERE i.indrelid = c.oid) AS indexes,
         (SELECT coalesce(json_agg(o.what ORDER BY o.what), '[]') FROM (
            SELECT 'constraint ' || conname AS what FROM pg_catalog.pg_constraint
             WHERE conrelid = c.oid AND contype <> 'n'
            UNION ALL
            SELECT 'trigger ' || tgname FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal
            UNION ALL
            SELECT 'policy ' || polname FROM pg_catalog.pg_policy WHERE polrelid = c.oid
            UNION ALL
            SELECT 'rule ' || rulename FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND c.relkind IN ('r', 'p')
          ) AS o) AS own
    FROM pg_catalog.pg_namespace n
    JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
   WHERE n.nspname = ANY($1) AND ($2::text[] IS NULL OR c.relname = ANY($2))`;

interface CatalogueRow {
  schema: TableSchema;
  name: string;
  kind: string;
  isPartition: boolean;
  columns: [string, string, boolean, boolean, string | null, string | null][];
  indexes: [string, (string | null)[], string, boolean, boolean, boolean][];
  own: string[];
}

function relationOf({ schema, name, kind, isPartition, columns, indexes, own }: CatalogueRow): StandingRelation {
  return {
    schema,
    name,
    kind,
    isPartition,
    own,
    columns: new Map(
      columns.map(([column, type, notNull, hasDefault, expression, comment]): [string, StandingColumn] => {
        return [column, { type, notNull, hasDefault, default: expression, comment }];
      }),
    ),
    indexes: indexes.map(([index, keys, method, unique, partial, valid]): StandingIndex => {
      return { name: index, columns: keys, method, unique, partial, valid };
    }),
  };
}
