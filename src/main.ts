// The server process: settings, database, schemas, tables, then HTTP; and the way back on a signal.
import type { Logger } from 'pino';
import { type Access, isLoopback } from './access/access.ts';
import { KeyRing } from './access/ring.ts';
import { buildServer } from './app.ts';
import { type Config, maskedConfig, readConfig } from './config.ts';
import { type Database, databaseProblem, openDatabase } from './db.ts';
import { Draining } from './drain.ts';
import { startEmbedded } from './embedded.ts';
import { Problem, StartError } from './errors.ts';
import { armFaultPoint } from './fault-point.ts';
import { grantRights, type Roles } from './grants.ts';
import { Link } from './link.ts';
import { openLog } from './log.ts';
import { migrating } from './migrate.ts';
import { Presence } from './presence.ts';
import { openSchemas, type Schemas } from './registry/schemas.ts';
import { Retention } from './retention.ts';
import type { Fault } from './schema/faults.ts';
import { loadFolder } from './schema/folder.ts';
import { Sweeper } from './sweep.ts';

/** How often `npm start` is looked after. */
const ORPHAN_MS = 500;
/** A process that is frozen in the middle of a transaction must not hold its locks for ever. */
const IDLE_IN_TRANSACTION_MS = 60_000;

interface Ready {
  config: Config;
  log: Logger;
  url: string;
  db: Database;
  link: Link;
  schemas: Schemas;
  /** Closes the pool, and the embedded Postgres if it is ours. */
  close(): Promise<void>;
}

/** Runs the server until a signal ends it. */
export async function main(): Promise<void> {
  const ready = await prepare(true);
  const { config, log, schemas, url, link } = ready;
  process.on('SIGHUP', () => reload(schemas, log));
  if (config.faultPoint !== undefined)
    log.warn({ point: config.faultPoint }, 'FAULT_POINT is set: this process will die');
  armFaultPoint(config.faultPoint);
  const presence = new Presence(url, log, link);
  try {
    await serve(ready, presence);
  } catch (error) {
    await presence.stop();
    await schemas.close();
    await ready.close();
    throw error;
  }
}

async function serve(ready: Ready, presence: Presence): Promise<void> {
  const { config, log, db, schemas, url, link } = ready;
  const access = await openAccess(ready, presence);
  await presence.start();
  const sweeper = new Sweeper(db, presence, log);
  sweeper.start();
  const retention = new Retention(url, config.retention, log, link);
  retention.start();
  const server = await buildServer({ config, db, schemas, presence, sweeper, access }, log);
  const address = await server.listen({ host: config.host, port: config.port }).catch((error: Error) => {
    throw new StartError(`cannot listen on ${config.host} port ${config.port}: ${error.message}`);
  });
  log.info({ url: address, auth: access.ring === undefined ? 'off' : 'on' }, 'listening');
  await signal();
  log.info('draining');
  const draining = new Draining(config.drainMs, link, log);
  await server.close();
  sweeper.stop();
  access.ring?.stop();
  await retention.stop();
  await presence.stop();
  await schemas.close();
  await ready.close();
  draining.end();
  log.info('stopped');
}

/** Brings the database up to date, gives roles their rights, and ends. */
export async function migrateOnly(roles: Roles): Promise<void> {
  const ready = await prepare(false);
  try {
    await migrating(ready.db, (connection) => grantRights(connection, roles));
  } catch (error) {
    await ready.schemas.close();
    await ready.close();
    throw error;
  }
  ready.log.info('the database is up to date');
  await ready.schemas.close();
  await ready.close();
}

/** @param inUse whether the schemas come into use: their versions are frozen from then on */
async function prepare(inUse: boolean): Promise<Ready> {
  const config = readConfig();
  const log = openLog(config.logLevel);
  log.info({ settings: maskedConfig(config) }, 'settings');
  const registry = await loadFolder(config.schemaDir);
  const embedded = config.databaseUrl === undefined ? await startEmbedded({ dataDir: config.dataDir, log }) : undefined;
  const url = config.databaseUrl ?? embedded!.url;
  const link = new Link();
  const { poolSize, statementMs, lockMs } = config;
  const db = openDatabase({ url, poolSize, statementMs, lockMs, idleInTransactionMs: IDLE_IN_TRANSACTION_MS, link });
  const close = async (): Promise<void> => {
    await db.destroy();
    await embedded?.stop();
  };
  try {
    const { schemas, warnings } = await openSchemas(db, config.schemaDir, registry, inUse);
    logWarnings(log, warnings);
    return { config, log, url, db, link, schemas, close };
  } catch (error) {
    await close();
    throw databaseProblem(error) === undefined ? error : unreachable(error as Error);
  }
}

/**
 * Who may come in: with AUTH unset everybody on a loopback address, and elsewhere whoever has a key.
 * @throws {StartError} others can reach the server, and there is no key, nor AUTH=off
 */
async function openAccess({ config, log, db }: Ready, presence: Presence): Promise<Access> {
  const { host, access } = config;
  const isLocal = isLoopback(host);
  if (access.auth === 'off' || (access.auth === undefined && isLocal)) {
    if (!isLocal) log.warn({ host }, 'AUTH=off: whoever reaches this address may do everything');
    return { ring: undefined, isLocal: access.auth === undefined };
  }
  const ring = new KeyRing(db, access, log);
  presence.listen('sluice_api_keys', () => ring.refresh());
  await ring.start();
  if (ring.size > 0) return { ring, isLocal: false };
  const hint = 'make one with "sluice keys create --name NAME --scope admin"';
  if (access.auth === undefined) {
    throw new StartError(
      `HOST=${host} can be reached by others, and there is no API key: ${hint}, or set AUTH=off to let everybody in`,
    );
  }
  log.warn(`there is no API key, so nobody comes in: ${hint}`);
  return { ring, isLocal: false };
}

/** What SIGHUP does. */
async function reload(schemas: Schemas, log: Logger): Promise<void> {
  try {
    const { warnings, ...reloaded } = await schemas.reload();
    logWarnings(log, warnings);
    log.info(reloaded, 'schemas reloaded');
  } catch (error) {
    const faults = error instanceof Problem ? error.members.faults : undefined;
    log.error({ reason: (error as Error).message, faults }, 'schemas not reloaded, those in use stay');
  }
}

function logWarnings(log: Logger, warnings: readonly Fault[]): void {
  for (const warning of warnings) log.warn(warning, 'schema');
}

function unreachable(error: Error): StartError {
  return new StartError(`Postgres cannot be used: ${error.message}`, { cause: error });
}

/** SIGTERM, SIGINT, or the death of the npm that started us: it could not pass the signal on. */
function signal(): Promise<void> {
  return new Promise((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
    if (process.env.npm_lifecycle_event !== 'start') return;
    const npm = process.ppid;
    setInterval(() => {
      if (process.ppid !== npm) resolve();
    }, ORPHAN_MS).unref();
  });
}
