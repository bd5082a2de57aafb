// The stages of large batches, made and dropped by functions that run with their owner's rights: the server itself then
// needs no right to make or drop tables. They take a batch's id, a number and a table's name, and make of them the only
// names that they touch: stage.0<32 hexadecimal digits>_<number or "lines">. Subjects begin with a letter.
// How such functions are kept safe: https://www.postgresql.org/docs/current/sql-createfunction.html#SQL-CREATEFUNCTION-SECURITY

const FUNCTIONS = [
  'stage_name(uuid, text)',
  'create_stage(uuid, integer, text)',
  'create_line_bytes(uuid)',
  'index_line_bytes(uuid)',
  'drop_stages(uuid)',
  'drop_orphaned_stages()',
  'lend_stage(text)',
];

const DEFINER = 'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp';

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    CREATE OR REPLACE FUNCTION sluice.stage_name(batch uuid, part text) RETURNS text
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
      SELECT '0' || replace(batch::text, '-', '') || '_' || part
    $$;

    -- Whoever works on the batch reads and writes its stage. session_user: inside, current_user is the owner.
    CREATE OR REPLACE FUNCTION sluice.lend_stage(name text) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      IF NOT pg_has_role(session_user, current_user, 'USAGE') THEN
        EXECUTE format('GRANT SELECT, INSERT, DELETE ON stage.%I TO %I', name, session_user);
      END IF;
    END $$;

    CREATE OR REPLACE FUNCTION sluice.create_stage(batch uuid, part integer, final text) RETURNS void ${DEFINER} AS $$
    DECLARE name text := sluice.stage_name(batch, part::text);
    BEGIN
      IF batch IS NULL OR part IS NULL OR part < 0 THEN
        RAISE EXCEPTION 'no stage: batch %, part %', batch, part USING ERRCODE = 'invalid_parameter_value';
      END IF;
      IF NOT EXISTS (
        SELECT FROM pg_class WHERE relnamespace = to_regnamespace('events') AND relname = final AND relkind IN ('r', 'p')
      ) THEN
        RAISE EXCEPTION 'there is no table events.%', quote_ident(final) USING ERRCODE = 'undefined_table';
      END IF;
      -- Check constraints that somebody put on final hold in the stage too: there they cost a line, in final the batch.
      EXECUTE format('CREATE UNLOGGED TABLE stage.%I (LIKE events.%I INCLUDING CONSTRAINTS INCLUDING DEFAULTS)
        WITH (autovacuum_enabled = false)', name, final);
      -- What is the same for a whole batch is added on the way to final.
      EXECUTE format('ALTER TABLE stage.%I ALTER COLUMN _batch_id DROP NOT NULL,
        ALTER COLUMN _received_at DROP NOT NULL', name);
      PERFORM sluice.lend_stage(name);
    END $$;

    CREATE OR REPLACE FUNCTION sluice.create_line_bytes(batch uuid) RETURNS void ${DEFINER} AS $$
    DECLARE name text := sluice.stage_name(batch, 'lines');
    BEGIN
      EXECUTE format('CREATE UNLOGGED TABLE stage.%I (batch_line integer, line integer, file text, "offset" bigint,
        length bigint, raw bytea) WITH (autovacuum_enabled = false)', name);
      PERFORM sluice.lend_stage(name);
    END $$;

    CREATE OR REPLACE FUNCTION sluice.index_line_bytes(batch uuid) RETURNS void ${DEFINER} AS $$
    BEGIN
      EXECUTE format('CREATE INDEX ON stage.%I (batch_line)', sluice.stage_name(batch, 'lines'));
    END $$;

    -- Whoever owns the schema may drop what others made in it: stages of processes of the version before. In one order,
    -- so that no two who drop the same wait for each other.
    CREATE OR REPLACE FUNCTION sluice.drop_stages(batch uuid) RETURNS void ${DEFINER} AS $$
    DECLARE name text;
    BEGIN
      FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'stage' AND starts_with(tablename, sluice.stage_name(batch, ''))
          AND tablename ~ '^0[0-9a-f]{32}_([0-9]+|lines)$' ORDER BY tablename
      LOOP
        EXECUTE format('DROP TABLE IF EXISTS stage.%I', name);
      END LOOP;
    END $$;

    CREATE OR REPLACE FUNCTION sluice.drop_orphaned_stages() RETURNS void ${DEFINER} SET lock_timeout = '500ms' AS $$
    DECLARE name text;
    BEGIN
      FOR name IN
        SELECT tablename FROM pg_tables
        WHERE schemaname = 'stage' AND tablename ~ '^0[0-9a-f]{32}_([0-9]+|lines)$'
          AND NOT EXISTS (
            SELECT FROM sluice.batches WHERE id = substr(tablename, 2, 32)::uuid AND status = 'receiving')
        ORDER BY tablename
      LOOP
        -- A backend whose client has vanished may still be in the middle of a COPY into it.
        BEGIN
          EXECUTE format('DROP TABLE IF EXISTS stage.%I', name);
        EXCEPTION WHEN lock_not_available THEN NULL;
        END;
      END LOOP;
    END $$;

    COMMENT ON FUNCTION sluice.create_stage IS 'Makes the unlogged stage of one table of a large batch';
    COMMENT ON FUNCTION sluice.create_line_bytes IS 'Makes the table for the bytes of lines that a check may still reject';
    COMMENT ON FUNCTION sluice.drop_stages IS 'Drops all stages of a batch';
    COMMENT ON FUNCTION sluice.drop_orphaned_stages IS 'Drops stages whose batch is no longer being received';

    REVOKE ALL ON FUNCTION ${FUNCTIONS.map((each) => `sluice.${each}`).join(', ')} FROM PUBLIC;
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw(`DROP FUNCTION ${FUNCTIONS.map((each) => `sluice.${each}`).join(', ')}`);
}
