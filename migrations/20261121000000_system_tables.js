// System tables: what the service remembers of each batch. Subjects' own tables are derived from the schemas instead.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    CREATE SCHEMA IF NOT EXISTS sluice;
    CREATE SCHEMA IF NOT EXISTS events;
    CREATE SCHEMA IF NOT EXISTS stage;

    CREATE TABLE sluice.batches (
      id          uuid PRIMARY KEY,
      status      text NOT NULL,
      received_at timestamptz NOT NULL,
      finished_at timestamptz,
      -- Advisory lock key held by the process that receives the batch; free means that process is gone.
      process     bigint NOT NULL,
      received    bigint NOT NULL DEFAULT 0,
      accepted    bigint NOT NULL DEFAULT 0,
      rejected    bigint NOT NULL DEFAULT 0,
      duplicate   bigint NOT NULL DEFAULT 0,
      blank       bigint NOT NULL DEFAULT 0,
      bytes       bigint NOT NULL DEFAULT 0,
      subjects    text[] NOT NULL DEFAULT '{}',
      -- [{name, first_line, lines, bytes, sha256}] in the order of the upload.
      files       jsonb NOT NULL DEFAULT '[]',
      http_status smallint,
      -- json, not jsonb: an idempotent retry gets the same bytes again.
      report      json,
      -- Why it was aborted.
      reason      text
    );
    COMMENT ON TABLE sluice.batches IS 'One row a batch: the unit of commit';
    CREATE INDEX batches_by_time ON sluice.batches (received_at DESC, id DESC);
    CREATE INDEX batches_receiving ON sluice.batches (process) WHERE status = 'receiving';

    CREATE TABLE sluice.rejections (
      batch_id    uuid NOT NULL,
      batch_line  integer NOT NULL,
      line        integer NOT NULL,
      file        text,
      "offset"    bigint NOT NULL,
      length      bigint NOT NULL,
      code        text NOT NULL,
      schema      text,
      errors      jsonb NOT NULL,
      raw         bytea NOT NULL,
      PRIMARY KEY (batch_id, batch_line)
    );
    COMMENT ON TABLE sluice.rejections IS 'Rejected lines: their bytes, their place, their reasons';

    CREATE TABLE sluice.line_runs (
      batch_id    uuid NOT NULL,
      first_line  integer NOT NULL,
      last_line   integer NOT NULL,
      verdict     text NOT NULL,
      PRIMARY KEY (batch_id, first_line)
    );
    COMMENT ON TABLE sluice.line_runs IS
      'Runs of blank and duplicate lines. What is in no run and no rejection was accepted';

    CREATE TABLE sluice.idempotency_keys (
      key         text PRIMARY KEY,
      -- SHA-256 over the payload and the parameters that decide its outcome; null while running.
      fingerprint bytea,
      batch_id    uuid NOT NULL,
      process     bigint NOT NULL,
      created_at  timestamptz NOT NULL DEFAULT now()
    );
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw(`
    DROP TABLE sluice.idempotency_keys, sluice.line_runs, sluice.rejections, sluice.batches;
  `);
}
