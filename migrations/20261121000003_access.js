// Who may do what: API keys, whose a batch is, and what was done with the right to change things.

/** @param {import('knex').Knex} knex */
export async function up(knex) {
  await knex.raw(`
    CREATE TABLE sluice.api_keys (
      -- The public half of the key, which stands in logs and lists.
      id           text PRIMARY KEY,
      -- Whoever holds it. A key and the one that is to replace it share it.
      client       uuid NOT NULL,
      name         text NOT NULL,
      -- SHA-256 of the whole key: 32 random bytes need no salt and no slow hash.
      hash         bytea NOT NULL CHECK (length(hash) = 32),
      scopes       text[] NOT NULL CHECK (scopes <@ '{ingest,read,admin}' AND scopes <> '{}'),
      -- Subjects that it may send events of; null: all.
      subjects     text[],
      -- Null: the server's settings; 0: no limit.
      requests_per_s bigint,
      bytes_per_s    bigint,
      uploads        integer,
      created_at   timestamptz NOT NULL DEFAULT now(),
      expires_at   timestamptz,
      revoked_at   timestamptz
    );
    CREATE INDEX api_keys_client ON sluice.api_keys (client);
    COMMENT ON TABLE sluice.api_keys IS 'API keys; of their secret only a hash is kept';

    CREATE FUNCTION sluice.tell_of_api_keys() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN NOTIFY sluice_api_keys; RETURN NULL; END $$;
    CREATE TRIGGER api_keys_told AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sluice.api_keys
      FOR EACH STATEMENT EXECUTE FUNCTION sluice.tell_of_api_keys();

    CREATE TABLE sluice.audit_log (
      id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at      timestamptz NOT NULL DEFAULT now(),
      -- The key that was used; null: by the command line, or where no keys are asked for.
      key_id  text,
      client  uuid,
      -- Its name, or 'cli', or 'anybody'.
      actor   text NOT NULL,
      -- batch.promote, batch.discard, batch.undo, rejections.replay, schema.register, schema.reload, key.create, key.revoke
      action  text NOT NULL,
      -- What it was done to: a batch's id, a schema version, a key's id.
      target  text,
      -- The status that it was answered with; null for the command line.
      status  integer,
      details jsonb NOT NULL DEFAULT '{}'
    );
    CREATE INDEX audit_log_at ON sluice.audit_log (at);
    COMMENT ON TABLE sluice.audit_log IS 'What was changed, by whom';

    -- Null: received while no keys were asked for.
    ALTER TABLE sluice.batches ADD COLUMN client uuid;
    CREATE INDEX batches_client ON sluice.batches (client, received_at DESC, id DESC) WHERE client IS NOT NULL;
  `);
}

/** @param {import('knex').Knex} knex */
export async function down(knex) {
  await knex.raw(`
    ALTER TABLE sluice.batches DROP COLUMN client;
    DROP TABLE sluice.audit_log, sluice.api_keys;
    DROP FUNCTION sluice.tell_of_api_keys();
  `);
}
