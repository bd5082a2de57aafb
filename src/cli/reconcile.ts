// `sluice reconcile`: the proof, from the database alone or from the files too. Nothing is changed, no server is asked.

import { type Command, InvalidArgumentError } from 'commander';
import { readConfig } from '../config.ts';
import type { Database } from '../db.ts';
import { Problem, StartError } from '../errors.ts';
import { visibleJson } from '../visible.ts';
import { HELP } from './help.ts';
import { ExitCode } from './outcome.ts';
import { FAULTS } from './print.ts';
import { differenceText, findingText, proofText, sinceText, verdictText } from './reconcile-text.ts';
import { parseSince } from './since.ts';
import { STDIN } from './source.ts';

interface ReconcileOptions {
  batch?: string;
  since?: Date;
  file?: string[];
  json?: boolean;
}

/** Differences that people are shown; programs get all of them. */
const MOST_SHOWN = 50;

export function reconcileCommand(program: Command): void {
  program
    .command('reconcile')
    .description('prove that the rows in Postgres are what was uploaded')
    .option('--batch <ID>', 'this batch', parseId)
    .option(
      '--since <TIME>',
      'all finished batches since then: 24h, 7d, 2026-11-20 or 2026-11-20T08:00:00Z',
      parseSince,
    )
    .option('--file <FILE...>', 'the files that were uploaded as the batch, plain or gzipped; - is standard input')
    .option('--json', 'print NDJSON, with every difference')
    .addHelpText('after', HELP.reconcile)
    .action(async (options: ReconcileOptions, command: Command) => {
      const { batch, since, file } = options;
      if ((batch === undefined) === (since === undefined)) command.error('error: give either --batch or --since');
      if (file !== undefined && batch === undefined) command.error('error: --file needs --batch');
      if (file !== undefined && file.filter((name) => name === STDIN).length > 1) command.error(FAULTS.stdinTwice);
      const { withPool } = await import('./database.ts');
      process.exitCode = await withPool((db) => reconcile(db, options)).catch(explained);
    });
}

function reconcile(db: Database, { batch, since, file, json = false }: ReconcileOptions): Promise<number> {
  if (since !== undefined) return proveAll(db, since, json);
  return file === undefined ? prove(db, batch!, json) : verify(db, batch!, file, json);
}

async function prove(db: Database, id: string, json: boolean): Promise<number> {
  const { withReading } = await import('../reconcile/connections.ts');
  const { reconcileBatch } = await import('../reconcile/batch.ts');
  const proof = await withReading(db, (reading) => reconcileBatch(reading, id));
  print(json ? `${visibleJson(JSON.stringify(proof))}\n` : proofText(proof));
  return proof.status === 'matched' ? ExitCode.Fine : ExitCode.Rejections;
}

async function proveAll(db: Database, since: Date, json: boolean): Promise<number> {
  const { proveSince } = await import('../reconcile/since.ts');
  const counts = { batches: 0, matched: 0, mismatched: 0, not_provable: 0 };
  await proveSince(db, since, (result) => {
    // What is not there any more was there a moment ago: retention takes old batches away.
    if ('problem' in result && result.problem.code === 'batch_not_found') return;
    counts.batches++;
    if ('problem' in result) counts.not_provable++;
    else {
      counts[result.proof.status]++;
      if (result.proof.status === 'mismatched')
        print(json ? `${JSON.stringify(result.proof)}\n` : differenceText(result.proof));
    }
  });
  print(
    json ? `${visibleJson(JSON.stringify({ since: since.toISOString(), ...counts }))}\n` : sinceText(since, counts),
  );
  return counts.mismatched === 0 ? ExitCode.Fine : ExitCode.Rejections;
}

async function verify(db: Database, id: string, names: readonly string[], json: boolean): Promise<number> {
  const { withReading } = await import('../reconcile/connections.ts');
  const { verifyFiles } = await import('../reconcile/verify/verify.ts');
  const { openFiles } = await import('./reconcile-files.ts');
  const { limits } = readConfig();
  let told = 0;
  const summary = await withReading(db, (reading) =>
    verifyFiles(reading, id, openFiles(names, limits), limits, (finding) => {
      if (json) print(`${visibleJson(JSON.stringify(finding))}\n`);
      else if (told++ < MOST_SHOWN) print(findingText(finding));
    }),
  );
  print(json ? `${visibleJson(JSON.stringify(summary))}\n` : verdictText(summary, Math.max(0, told - MOST_SHOWN)));
  return summary.status === 'matched' ? ExitCode.Fine : ExitCode.Rejections;
}

/** What keeps the command from running, in a line. */
function explained(error: unknown): never {
  const state = (error as { code?: unknown } | null)?.code;
  if (state === '42P01' || state === '3F000' || state === '42703') {
    const reason = `${(error as Error).message} (was it ever used by this version of sluice?)`;
    throw new StartError(`The database cannot be reconciled: ${reason}`, { cause: error });
  }
  if (error instanceof Problem) throw new StartError(`${error.code}: ${error.message}`, { cause: error });
  throw error;
}

function parseId(text: string): string {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text))
    throw new InvalidArgumentError('A batch id is a UUID.');
  return text.toLowerCase();
}

function print(text: string): void {
  process.stdout.write(text);
}
