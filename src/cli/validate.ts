// `sluice validate FILE…`: the server's verdicts by the server's own pipeline, without a server and without a database.

import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Command } from 'commander';
import { readConfig } from '../config.ts';
import { Problem } from '../errors.ts';
import type { ValidateSettings } from '../validate.ts';
import { forEachFile, type OutputOptions } from './files.ts';
import { HELP } from './help.ts';
import type { Outcome } from './outcome.ts';
import { SourceError } from './source.ts';

interface ValidateOptions extends OutputOptions {
  schema?: string;
  schemaDir?: string;
}

export function validateCommand(program: Command): void {
  program
    .command('validate')
    .description('check files without a server and without a database')
    .argument('<FILE...>', 'NDJSON files, plain or gzipped; - is standard input')
    .option('--schema <REF>', 'check every line against this: user_event, user_event/1 or user_event/1.0.0')
    .option('--schema-dir <DIR>', 'the schema folder (default: SCHEMA_DIR, else "schemas")')
    .option('--report <FILE>', 'write the report as JSON, with up to 1,000 rejected lines')
    .option('--json', 'print one JSON object a file in place of the summary')
    .addHelpText('after', HELP.validate)
    .action(async (names: string[], options: ValidateOptions, command: Command) => {
      const config = readConfig();
      const settings = {
        schema: options.schema,
        schemaDir: options.schemaDir ?? config.schemaDir,
        limits: config.limits,
      };
      await forEachFile(command, names, options, (bytes, { gzip }) => judge(gzip ? gunzipped(bytes) : bytes, settings));
    });
}

async function judge(bytes: AsyncIterable<Buffer>, settings: ValidateSettings): Promise<Outcome> {
  // Loaded only when asked for: the other commands need neither schemas nor pipeline.
  const { validateStream } = await import('../validate.ts');
  try {
    return { report: await validateStream(bytes, settings) };
  } catch (error) {
    if (error instanceof Problem) return { error: `${error.code}: ${error.message}` };
    throw error;
  }
}

async function* gunzipped(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  // The error of either stream ends the loop: a broken gzip is a file that cannot be read.
  const source = Readable.from(bytes);
  const plain = createGunzip();
  source.once('error', (error) => plain.destroy(error));
  try {
    yield* source.pipe(plain) as AsyncIterable<Buffer>;
  } catch (error) {
    throw error instanceof SourceError ? error : new SourceError(error);
  } finally {
    source.destroy();
  }
}
