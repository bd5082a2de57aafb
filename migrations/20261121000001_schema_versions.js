// What each version of a schema said when a server first loaded it: from then on it never changes.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    CREATE TABLE sluice.schema_versions (
      subject       text NOT NULL,
      version       text NOT NULL,
      -- RFC 8785, with what the version refers to in other files. Text: jsonb would take neither \\u0000 nor order.
      canonical     text NOT NULL,
      -- Of the canonical text's UTF-8, hexadecimal.
      sha256        text NOT NULL,
      registered_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (subject, version)
    );
    COMMENT ON TABLE sluice.schema_versions IS 'Schema versions that are or were in use, as they were at first';
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw('DROP TABLE sluice.schema_versions');
}
