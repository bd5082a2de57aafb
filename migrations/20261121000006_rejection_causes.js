// Rejections with their reasons once a batch instead of once a line. Bad lines mostly come in runs with the same reasons,
// and these were half of what Postgres did for such a line: 3.6 µs, of which 1.8 are left.
//
// sluice.rejections, which people query and the version before reads and writes, goes on under its name as a view with a
// row a rejection. The lines themselves are in sluice.rejected_lines: what is null there is in the cause, or follows from
// the rest. What is written through the view has its reasons in the line, as all that were stored before.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    ALTER TABLE sluice.rejections RENAME TO rejected_lines;
    ALTER TABLE sluice.rejected_lines
      ALTER COLUMN line DROP NOT NULL,
      ALTER COLUMN length DROP NOT NULL,
      ALTER COLUMN code DROP NOT NULL,
      ALTER COLUMN errors DROP NOT NULL,
      ADD COLUMN cause integer;
    COMMENT ON TABLE sluice.rejected_lines IS 'What sluice.rejections is made of: lines, with their reasons or a cause';
    COMMENT ON COLUMN sluice.rejected_lines.line IS 'Null: the same as batch_line';
    COMMENT ON COLUMN sluice.rejected_lines.length IS 'Null: all of the line is in raw';
    COMMENT ON COLUMN sluice.rejected_lines.cause IS 'Has code, schema and errors; null: they are in this row';

    CREATE TABLE sluice.rejection_causes (
      batch_id uuid NOT NULL REFERENCES sluice.batches ON DELETE CASCADE,
      cause    integer NOT NULL,
      code     text NOT NULL,
      schema   text,
      errors   jsonb NOT NULL,
      PRIMARY KEY (batch_id, cause)
    );
    COMMENT ON TABLE sluice.rejection_causes IS 'Reasons that many rejected lines of a batch have in common';

    CREATE VIEW sluice.rejections AS
      SELECT rejected.batch_id, rejected.batch_line, coalesce(rejected.line, rejected.batch_line) AS line, rejected.file,
        rejected."offset", coalesce(rejected.length, octet_length(rejected.raw)) AS length,
        coalesce(rejected.code, common.code) AS code, coalesce(rejected.schema, common.schema) AS schema,
        coalesce(rejected.errors, common.errors) AS errors, rejected.raw, rejected.origin_batch_id, rejected.origin_line
      FROM sluice.rejected_lines AS rejected
      LEFT JOIN sluice.rejection_causes AS common
        ON common.batch_id = rejected.batch_id AND common.cause = rejected.cause;
    COMMENT ON VIEW sluice.rejections IS 'Rejected lines: their bytes, their place, their reasons';

    CREATE FUNCTION sluice.write_rejection() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
    BEGIN
      IF TG_OP <> 'INSERT' THEN
        DELETE FROM sluice.rejected_lines WHERE batch_id = OLD.batch_id AND batch_line = OLD.batch_line;
        IF NOT FOUND THEN RETURN NULL; END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
      END IF;
      IF num_nulls(NEW.line, NEW.length, NEW.code, NEW.errors) > 0 THEN
        RAISE EXCEPTION 'a rejection has a line, a length, a code and errors' USING ERRCODE = 'not_null_violation';
      END IF;
      INSERT INTO sluice.rejected_lines (batch_id, batch_line, line, file, "offset", length, code, schema, errors, raw,
        origin_batch_id, origin_line)
      VALUES (NEW.batch_id, NEW.batch_line, NEW.line, NEW.file, NEW."offset", NEW.length, NEW.code, NEW.schema,
        NEW.errors, NEW.raw, NEW.origin_batch_id, NEW.origin_line);
      RETURN NEW;
    END $$;
    COMMENT ON FUNCTION sluice.write_rejection IS 'Writes what somebody writes to the view sluice.rejections';
    REVOKE ALL ON FUNCTION sluice.write_rejection FROM PUBLIC;
    CREATE TRIGGER write INSTEAD OF INSERT OR UPDATE OR DELETE ON sluice.rejections
      FOR EACH ROW EXECUTE FUNCTION sluice.write_rejection();
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw(`
    UPDATE sluice.rejected_lines AS rejected
      SET line = stored.line, length = stored.length, code = stored.code, schema = stored.schema, errors = stored.errors
      FROM sluice.rejections AS stored
      WHERE stored.batch_id = rejected.batch_id AND stored.batch_line = rejected.batch_line;
    DROP VIEW sluice.rejections;
    DROP FUNCTION sluice.write_rejection;
    DROP TABLE sluice.rejection_causes;
    ALTER TABLE sluice.rejected_lines
      DROP COLUMN cause,
      ALTER COLUMN line SET NOT NULL,
      ALTER COLUMN length SET NOT NULL,
      ALTER COLUMN code SET NOT NULL,
      ALTER COLUMN errors SET NOT NULL;
    COMMENT ON COLUMN sluice.rejected_lines.line IS NULL;
    COMMENT ON COLUMN sluice.rejected_lines.length IS NULL;
    ALTER TABLE sluice.rejected_lines RENAME TO rejections;
    COMMENT ON TABLE sluice.rejections IS 'Rejected lines: their bytes, their place, their reasons';
  `);
}
