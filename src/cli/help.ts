// What `--help` says beyond the list of options: what for, examples, exit codes.

export const DEFAULT_URL = 'http://127.0.0.1:3000';

export const HELP = {
  program: 'Sluice takes events over HTTP, loads the valid ones into Postgres and tells what became of each line.',
  afterError: '(try --help)',
  exitCodes: `
Exit codes of load and validate:
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
"sluice serve" does the same when it starts.`,
  load: `
Files are NDJSON, one event a line, plain or gzipped; - is standard input. Each file is a batch of its own: it is
stored as a whole, or not at all. After a file that fails the next one is loaded all the same.

Examples:
  sluice load events.ndjson
  sluice load --schema user_event --max-rejected 1% part-*.ndjson.gz
  sluice load --dry-run --report report.json events.ndjson
  zstdcat events.zst | sluice load -
Exit codes: 0 every line is fine, 1 some lines were rejected or the batch is held, 2 failed.`,
  validate: `
The same verdicts as the server's, without a server and without a database. Lines that only a database can judge
(duplicates) pass.

Examples:
  sluice validate events.ndjson
  sluice validate --schema user_event/1.0.0 --schema-dir ./schemas events.ndjson.gz
Exit codes: 0 every line is fine, 1 some lines would be rejected, 2 failed.`,
} as const;
