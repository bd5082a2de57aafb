// `sluice schemas …`: what can be asked of a schema folder, and of the tables that follow from it. Each command's work
// is loaded only when it is asked for.
import { type Command, Option } from 'commander';
import picocolors from 'picocolors';
import { readConfig } from '../config.ts';
import { visibleJson, visibleLines } from '../visible.ts';
import { compareCommand } from './compare.ts';
import { HELP } from './help.ts';
import { ExitCode } from './outcome.ts';

interface FolderOptions {
  schemaDir?: string;
  json?: boolean;
}

interface CheckOptions {
  schemaDir?: string;
  format: 'text' | 'markdown' | 'json';
  base?: string;
  strict?: boolean;
}

const SCHEMA_DIR = ['--schema-dir <DIR>', 'the schema folder (default: SCHEMA_DIR, else "schemas")'] as const;

export function schemasCommand(program: Command): void {
  // Registered here and not built apart, so that they inherit what is set on the program.
  const schemas = program
    .command('schemas')
    .description('check, compare and begin schemas; plan and check their tables')
    .addHelpText('after', HELP.schemas);
  schemas
    .command('check')
    .description('judge a schema folder: lint, versions, examples; for CI')
    .option(...SCHEMA_DIR)
    .addOption(new Option('--format <FORMAT>', 'how to tell it').choices(['text', 'markdown', 'json']).default('text'))
    .option('--base <DIR>', 'judge and show only what differs from this folder')
    .option('--strict', 'warnings count as problems')
    .addHelpText('after', HELP.check)
    .action(check);
  schemas.addCommand(compareCommand().copyInheritedSettings(schemas).addHelpText('after', HELP.compare));
  schemas
    .command('new')
    .description('infer a first schema from sample events')
    .argument('<SUBJECT>', 'name of the new subject')
    .requiredOption('--from <FILE>', 'NDJSON, one event a line, plain or gzipped; - is standard input')
    .option(...SCHEMA_DIR)
    .addHelpText('after', HELP.new)
    .action(create);
  schemas
    .command('plan')
    .description('print the SQL that "sluice migrate" would run')
    .option(...SCHEMA_DIR)
    .option('--json', 'print an array of statements')
    .addHelpText('after', HELP.plan)
    .action(plan);
  schemas
    .command('drift')
    .description('say where the tables are not what the schemas say')
    .option(...SCHEMA_DIR)
    .option('--json', 'print an array of differences')
    .addHelpText('after', HELP.drift)
    .action(drift);
}

async function check(options: CheckOptions): Promise<void> {
  const { limits, schemaDir } = readConfig();
  const { checkFolder } = await import('../check/check.ts');
  const folder = options.schemaDir ?? schemaDir;
  const result = await checkFolder({ folder, base: options.base, limits, budgetMs: 5_000 });
  if (options.format === 'json') print(`${visibleJson(JSON.stringify(result, null, 2))}\n`);
  else if (options.format === 'markdown') print((await import('./check-markdown.ts')).checkMarkdown(result));
  else print((await import('./check-text.ts')).checkText(result, folder, colors()));
  const { errors, warnings } = result.totals;
  const problems = errors + (options.strict ? warnings : 0);
  process.exitCode = problems === 0 ? ExitCode.Fine : ExitCode.Rejections;
}

async function create(subject: string, options: { from: string; schemaDir?: string }): Promise<void> {
  const { limits, schemaDir } = readConfig();
  const { createSubject } = await import('./new.ts');
  print(await createSubject(subject, options.from, options.schemaDir ?? schemaDir, limits));
}

async function plan(options: FolderOptions): Promise<void> {
  const { loadFolder } = await import('../schema/folder.ts');
  const registry = await loadFolder(options.schemaDir ?? readConfig().schemaDir);
  const { withDatabase } = await import('./database.ts');
  const { planChanges } = await import('../schema/tables.ts');
  const { planText } = await import('./ddl-text.ts');
  const statements = await withDatabase((connection) => planChanges(connection, registry));
  if (options.json) return print(`${visibleJson(JSON.stringify(statements, null, 2))}\n`);
  // To be run it has to stay as it is; to be read it must not steer the terminal.
  print(process.stdout.isTTY ? visibleLines(planText(statements)) : planText(statements));
}

async function drift(options: FolderOptions): Promise<void> {
  const { loadFolder } = await import('../schema/folder.ts');
  const registry = await loadFolder(options.schemaDir ?? readConfig().schemaDir);
  const { withDatabase } = await import('./database.ts');
  const { readCatalogue } = await import('../schema/catalogue.ts');
  const { findDrift } = await import('../schema/drift.ts');
  const { driftText } = await import('./drift-text.ts');
  const catalogue = await withDatabase((connection) => readCatalogue(connection, null));
  const drifts = findDrift(registry.tables, catalogue);
  print(options.json ? `${visibleJson(JSON.stringify(drifts, null, 2))}\n` : driftText(drifts, registry.tables.length));
  process.exitCode = drifts.some(({ type }) => type !== 'yours') ? ExitCode.Rejections : ExitCode.Fine;
}

function print(text: string): void {
  process.stdout.write(text);
}

function colors() {
  return picocolors.createColors(picocolors.isColorSupported && process.stdout.isTTY === true);
}
