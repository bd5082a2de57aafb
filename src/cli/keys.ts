// `sluice keys create|list|revoke`: API keys, made and ended in the database itself. No server is asked; those that run
// are told by Postgres.
import { type Command, InvalidArgumentError } from 'commander';
import { isKeyId } from '../access/key.ts';
import type { KeyOrder } from '../access/stored-keys.ts';
import { HELP } from './help.ts';
import {
  collectScopes,
  collectSubjects,
  parseBytes,
  parseExpiry,
  parseKeyName,
  parseRequests,
  parseUploads,
} from './key-options.ts';
import { keyListText, keyRecord, madeText } from './keys-text.ts';

interface CreateOptions {
  name?: string;
  scope?: KeyOrder['scopes'];
  subject?: string[];
  expires?: Date;
  requestsPerS?: number;
  bytesPerS?: number;
  uploads?: number;
  rotate?: string;
  json?: boolean;
}

export function keysCommand(program: Command): void {
  const keys = program.command('keys').description('make, list and revoke API keys').addHelpText('after', HELP.keys);
  keys
    .command('create')
    .description('make an API key; it is printed this once')
    .option('--name <NAME>', 'whose key it is, for logs and lists', parseKeyName)
    .option('--scope <SCOPE>', 'ingest, read or admin (which holds the others); may be repeated', collectScopes)
    .option('--subject <S>', 'with ingest: only events of this subject; may be repeated', collectSubjects)
    .option('--expires <WHEN>', '90d, 12h, 2027-01-01 or 2027-01-01T08:00:00Z (default: never)', parseExpiry)
    .option('--requests-per-s <N>', 'in place of KEY_REQUESTS_PER_S; 0 is no limit', parseRequests)
    .option('--bytes-per-s <N>', 'in place of KEY_BYTES_PER_S; 0 is no limit', parseBytes)
    .option('--uploads <N>', 'uploads at once, in place of KEY_UPLOADS; 0 is no limit', parseUploads)
    .option('--rotate <ID>', 'a second key for the client of this one, with its rights and limits', parseKeyId)
    .option('--json', 'print one JSON object with everything, the key too')
    .addHelpText('after', HELP.keysCreate)
    .action(create);
  keys
    .command('list')
    .description('list all keys, without what is secret of them')
    .option('--json', 'print NDJSON')
    .action(list);
  keys
    .command('revoke')
    .description('end a key, at once and for good')
    .argument('<ID>', 'the part of the key between the underscores', parseKeyId)
    .action(revoke);
}

async function create(options: CreateOptions, command: Command): Promise<void> {
  const order = orderOf(options, command);
  const { createKey, rotateKey } = await import('../access/stored-keys.ts');
  const { withKeys } = await import('./keys-database.ts');
  const { COMMAND_LINE, recordAudit } = await import('../access/audit.ts');
  const made = await withKeys(async (connection) => {
    const key =
      order === undefined
        ? await rotateKey(connection, options.rotate!, options.expires ?? null)
        : await createKey(connection, order);
    const { name, client, scopes, subjects, expiresAt } = key;
    const details = { name, client, scopes, subjects, expires_at: expiresAt, rotates: options.rotate ?? null };
    await recordAudit(connection, COMMAND_LINE, { action: 'key.create', target: key.id, status: null, details });
    return key;
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...keyRecord(made), key: made.key })}\n`);
    return;
  }
  process.stderr.write(madeText(made));
  process.stdout.write(`${made.key}\n`);
}

/** What a new client may do; undefined where the rights are those of the key that is replaced. */
function orderOf(options: CreateOptions, command: Command): KeyOrder | undefined {
  const { name, scope, subject, expires, requestsPerS, bytesPerS, uploads, rotate } = options;
  if (rotate !== undefined) {
    const others = [name, scope, subject, requestsPerS, bytesPerS, uploads];
    if (others.some((each) => each !== undefined)) {
      command.error('error: --rotate takes over name, rights and limits: only --expires can be given');
    }
    return undefined;
  }
  if (name === undefined) command.error('error: --name is missing: whose key is it?');
  if (scope === undefined) command.error('error: --scope is missing: ingest, read or admin');
  if (subject !== undefined && (!scope!.includes('ingest') || scope!.includes('admin'))) {
    command.error('error: --subject narrows the scope ingest: give it with --scope ingest, and without admin');
  }
  return {
    name: name!,
    scopes: scope!,
    subjects: subject ?? null,
    expiresAt: expires ?? null,
    requestsPerS: requestsPerS ?? null,
    bytesPerS: bytesPerS ?? null,
    uploads: uploads ?? null,
  };
}

async function list({ json = false }: { json?: boolean }): Promise<void> {
  const { listKeys } = await import('../access/stored-keys.ts');
  const { withKeys } = await import('./keys-database.ts');
  const keys = await withKeys(listKeys);
  process.stdout.write(json ? keys.map((each) => `${JSON.stringify(keyRecord(each))}\n`).join('') : keyListText(keys));
}

async function revoke(id: string): Promise<void> {
  const { revokeKey } = await import('../access/stored-keys.ts');
  const { withKeys } = await import('./keys-database.ts');
  const { COMMAND_LINE, recordAudit } = await import('../access/audit.ts');
  const isNew = await withKeys(async (connection) => {
    if (!(await revokeKey(connection, id))) return false;
    await recordAudit(connection, COMMAND_LINE, { action: 'key.revoke', target: id, status: null, details: {} });
    return true;
  });
  process.stdout.write(isNew ? `key ${id} is revoked\n` : `key ${id} was revoked already\n`);
}

/** A whole key is not repeated in what is said of it. */
function parseKeyId(text: string): string {
  if (isKeyId(text)) return text;
  throw new InvalidArgumentError('A key is named by its id, the 12 characters between the underscores.');
}
