// Batches that are held, replayed, taken back, and proved.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    ALTER TABLE sluice.batches
      -- The upload's schema parameter: a replay judges lines by it again.
      ADD COLUMN schema    text,
      -- Ids of all schema versions that lines were judged by.
      ADD COLUMN schemas   text[] NOT NULL DEFAULT '{}',
      -- Batches whose rejections it replayed.
      ADD COLUMN replay_of uuid[] NOT NULL DEFAULT '{}',
      -- What became of it after its first answer: [{action, at, reason}], action promoted, discarded or undone.
      ADD COLUMN history   jsonb NOT NULL DEFAULT '[]',
      -- SHA-256 over what its rows were; null where none was accepted.
      ADD COLUMN digest    bytea;
    CREATE INDEX batches_unsettled ON sluice.batches (received_at) WHERE status IN ('held', 'discarded');

    ALTER TABLE sluice.rejections
      -- Set on a second look at a line that is stored as a rejection already.
      ADD COLUMN origin_batch_id uuid,
      ADD COLUMN origin_line     integer;

    CREATE TABLE sluice.row_digests (
      batch_id     uuid NOT NULL,
      table_name   text NOT NULL,
      block        integer NOT NULL,
      -- Of the row format that the fingerprints were taken of, in its order.
      columns      text[] NOT NULL,
      -- Runs of line numbers, ascending: pairs of int4 (first, count).
      lines        bytea NOT NULL,
      -- 8 bytes a row.
      fingerprints bytea NOT NULL,
      PRIMARY KEY (batch_id, table_name, block)
    );
    ALTER TABLE sluice.row_digests
      ALTER COLUMN lines SET STORAGE EXTERNAL, ALTER COLUMN fingerprints SET STORAGE EXTERNAL;
    COMMENT ON TABLE sluice.row_digests IS 'What each row was when its line was judged good';

    -- As the canonical text, but in the file's own order, on which the columns of very wide schemas depend.
    ALTER TABLE sluice.schema_versions ADD COLUMN document text;

    CREATE TABLE sluice.replays (
      batch_id    uuid NOT NULL,
      batch_line  integer NOT NULL,
      replayed_by uuid NOT NULL,
      line        integer NOT NULL,
      -- What keeps a rejection from being loaded twice.
      PRIMARY KEY (batch_id, batch_line)
    );
    -- The rows of one replay stand together: this finds them, and costs nothing when they are written.
    CREATE INDEX replays_by_batch ON sluice.replays USING brin (replayed_by) WITH (pages_per_range = 16);
    COMMENT ON TABLE sluice.replays IS 'Rejections that became a line of a replay, promoted or held';
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw(`
    DROP TABLE sluice.replays, sluice.row_digests;
    ALTER TABLE sluice.schema_versions DROP COLUMN document;
    ALTER TABLE sluice.rejections DROP COLUMN origin_batch_id, DROP COLUMN origin_line;
    DROP INDEX sluice.batches_unsettled;
    ALTER TABLE sluice.batches
      DROP COLUMN schema, DROP COLUMN schemas, DROP COLUMN replay_of, DROP COLUMN history, DROP COLUMN digest;
  `);
}
