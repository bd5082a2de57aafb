// What `--help` says beyond the list of options: what for, examples, exit codes.

export const DEFAULT_URL = 'http://127.0.0.1:3000';

export const HELP = {
  program: 'Sluice takes events over HTTP, loads the valid ones into Postgres and tells what became of each line.',
  afterError: '(try --help)',
  exitCodes: `
Exit codes of load, validate and replay (schemas … --help and reconcile --help tell their own):
  0  every line is fine
  1  some lines were rejected, or the batch is held by a check
  2  failed: nothing of at least one file was stored

Examples:
  sluice serve
  sluice load events.ndjson
  sluice load --help`,
  serve: `
Settings are environment variables, e.g.:
  PORT=8080 sluice serve
  DATABASE_URL=postgres://me@db.example/events SCHEMA_DIR=./schemas sluice serve
Without DATABASE_URL it starts a Postgres of its own, with its data in .sluice.`,
  migrate: `
For a database that the server may not change itself, e.g.:
  DATABASE_URL=postgres://owner@db.example/events sluice migrate
"sluice serve" does the same when it starts. "sluice schemas plan" prints what it would do to the subjects' tables.
Several may run at once, and one that was killed is gone on from. A table in use is tried again and again for up to a
minute, each time waiting 2 s only, so that nobody waits behind it for long.
With --app-role and --reader-role (roles that exist) the server can run without any right to change tables:
  DATABASE_URL=postgres://owner@db.example/events sluice migrate --app-role sluice_app --reader-role analysts
  DATABASE_URL=postgres://sluice_app@db.example/events sluice serve`,
  retention: `
Removes what the server removes by itself every hour (RETENTION_INTERVAL_S): rejections, idempotency keys, rows of
discarded batches, and records of batches, each after its time. Held batches are never touched. It works in small steps,
and only one process at a time does. How long things are kept (0: for ever):
  RETAIN_REJECTIONS_DAYS=90 RETAIN_BATCHES_DAYS=365 RETAIN_KEYS_HOURS=72 RETAIN_DISCARDED_DAYS=7

Example:
  DATABASE_URL=postgres://me@db.example/events RETAIN_REJECTIONS_DAYS=30 sluice retention
Exit codes: 0 done (also where another process is at it), 2 could not run.`,
  audit: `
It lists every action that needs the scope admin and was tried, with its status, and every key made or revoked. It reads
the database itself (DATABASE_URL, else the embedded one).

Examples:
  sluice audit --since 7d
  sluice audit --json | jq 'select(.action == "batch.promote")'
Exit codes: 0 done, 2 could not.`,
  anomalies: `
The timestamp is the start of a period, RFC 3339 or YYYY-MM-DD HH:MM:SS (UTC); how long a period is follows from the rows.
A missing row or an empty value is unknown, not zero. Each period is judged by those before it alone. Printed is one JSON
object: findings, one an episode; explained, what was unusual but has been so before; and notes on what the history does
not support.

Examples:
  sluice anomalies --series orders-per-hour.csv
  psql -Atc "$QUERY" --csv | sluice anomalies --series - | jq .findings
Exit codes: 0 done, whatever was found, 2 could not.`,
  keys: `
They stand in the database (DATABASE_URL, else the embedded one): of their secret only a hash. A key works and ends in
every running server at once.

Examples:
  sluice keys create --name shop --scope ingest --subject user_event --expires 90d
  sluice keys create --rotate k3v9x2m4p7qa
  sluice keys revoke k3v9x2m4p7qa
Exit codes: 0 done, 2 could not.`,
  keysCreate: `
The key goes to standard output, alone on its line; all words about it to standard error. A client may have two live keys:
make the second with --rotate, give it to whoever sends, and revoke the first. What one of them sent the other sees.

Examples:
  SLUICE_API_KEY=$(sluice keys create --name shop --scope ingest,read)
  sluice keys create --name ops --scope admin --expires 2027-01-01 --requests-per-s 50`,
  load: `
Files are NDJSON, one event a line, plain or gzipped; - is standard input. Each file is a batch of its own: it is
stored as a whole, or not at all. After a file that fails the next one is loaded all the same.

Examples:
  sluice load events.ndjson
  sluice load --schema user_event --max-rejected 1% part-*.ndjson.gz
  sluice load --dry-run --report report.json events.ndjson
  SLUICE_API_KEY=$(cat key) sluice load events.ndjson
  zstdcat events.zst | sluice load -
Exit codes: 0 every line is fine, 1 some lines were rejected or the batch is held, 2 failed.`,
  replay: `
Stored rejections that no replay has taken yet are judged once more, as a new batch: those that pass are loaded, each
once, and the others stay where they are. Without a filter that is all of them, but for lines that a key was not allowed
to send: these only with --code forbidden_subject. PATCH is a JSON Patch (RFC 6902), applied to each line before it is
judged; - is standard input.

Examples:
  sluice replay --dry-run --schema user_event
  sluice replay --batch 019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50
  echo '[{"op":"remove","path":"/debug"}]' | sluice replay --path /debug --patch -
Exit codes: 0 all of them are loaded (or there are none), 1 some are not, or they are held by a check, 2 failed.`,
  validate: `
The same verdicts as the server's, without a server and without a database. Lines that only a database can judge
(duplicates) pass.

Examples:
  sluice validate events.ndjson
  sluice validate --schema user_event/1.0.0 --schema-dir ./schemas events.ndjson.gz
Exit codes: 0 every line is fine, 1 some lines would be rejected, 2 failed.`,
  reconcile: `
Without --file it holds what was recorded of each row when it was accepted against the tables: deleted, altered, doubled
and foreign rows are named by their lines. With --file it reads the uploaded files again, works out what each line should
have become, and lists every line that is not so; of several files give each, in the order of the upload. It needs
DATABASE_URL and no more than read access to it, and no server.

Examples:
  sluice reconcile --since 24h
  sluice reconcile --batch 019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50
  sluice reconcile --batch 019c8a7e-5b1c-7d43-a2c0-6f1d2b3e4a50 --file events.ndjson.gz --json
Exit codes: 0 everything is as it should be, 1 a difference, 2 could not run.`,
  schemas: `
Examples:
  sluice schemas new user_event --from events.ndjson
  sluice schemas check
  sluice schemas plan`,
  check: `
Needs no database. It lints the folder, compiles every version, holds each one against its predecessors as the
subject's mode (subject.json) demands, and judges SUBJECT/examples/pass.ndjson and fail.ndjson line by line.

Examples:
  sluice schemas check
  sluice schemas check --format markdown --base ../main/schemas > comment.md
Exit codes: 0 fine (warnings at most), 1 problems, 2 could not run.`,
  compare: `
Examples:
  sluice schemas compare old.json new.json
  sluice schemas compare --mode FULL --format json old.json new.json`,
  new: `
Writes SUBJECT/1.0.0.json, which every sample passes, and the first samples as SUBJECT/examples/pass.ndjson.
Nothing is overwritten. Read the schema before it is used: it says what the samples have in common, not what you mean.
It is open: what it does not declare is kept in _extra. With "additionalProperties": false, or {"policy": "lenient"} in
subject.json, new properties can come with minor versions.

Example:
  sluice schemas new page_view --from page_views.ndjson
Exit codes: 0 written, 2 could not run.`,
  plan: `
Each statement comes with the lock it takes and whether it rewrites the table. Nothing is changed. System tables are
not in it. Reads DATABASE_URL, else the embedded Postgres.

Example:
  DATABASE_URL=postgres://me@db.example/events sluice schemas plan
Exit codes: 0 printed (also "nothing to do"), 2 could not run.`,
  drift: `
Names each table, column, type, nullability, default, index and comment that is not as the schemas say. Constraints,
triggers, indexes and views of your own are named too, and are no drift. Nothing is changed.

Example:
  DATABASE_URL=postgres://me@db.example/events sluice schemas drift --json
Exit codes: 0 no drift, 1 drift, 2 could not run.`,
} as const;
