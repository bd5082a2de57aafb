// An admin's deed on its way through a route: it stands in the audit log and in the log, whatever came of it.
import type { FastifyRequest } from 'fastify';
import { type AuditAction, type AuditConnection, type AuditEntry, recordAudit } from '../access/audit.ts';
import { borrow, type Database, databaseProblem } from '../db.ts';
import { Problem } from '../errors.ts';

/** What is known of it before it is tried. */
export type Deed = Pick<AuditEntry, 'target' | 'details'> & { action: AuditAction };

/** What is known of it afterwards. */
export type Ending = Pick<AuditEntry, 'status'> & Partial<Pick<AuditEntry, 'target' | 'details'>>;

/** To be called inside of the transaction that does it: they are committed together, or not at all. */
export type Note = (connection: AuditConnection, ending: Ending) => Promise<void>;

/**
 * Does it, and sees to its row.
 * @param work returns how it ended; where it has called `note`, the row is there already
 * @throws {Problem} what `work` throws, once that is noted; `database_unavailable` where it is done and cannot be noted:
 *   then it is not told to be done, and asking again does what is missing
 */
export async function inAudit<T extends Ending>(
  db: Database,
  { client, log }: FastifyRequest,
  deed: Deed,
  work: (note: Note) => Promise<T>,
): Promise<T> {
  let isNoted = false;
  const note: Note = async (connection, ending) => {
    await recordAudit(connection, client, entryOf(deed, ending));
    isNoted = true;
  };
  const tell = (ending: Ending): void => {
    const { action, target, status, details } = entryOf(deed, ending);
    const by = { client: client.id, key_id: client.keyId, actor: client.name };
    log.info({ audit: { action, target, status, ...by, details } }, 'admin action');
  };
  let ending: T;
  try {
    ending = await work(note);
  } catch (error) {
    const refused = refusalOf(deed, error);
    tell(refused);
    // It has not been done: that no row says so changes nothing of that.
    await borrow(db, (connection) => note(connection, refused)).catch((failure: Error) =>
      log.warn({ reason: failure.message }, 'a refused admin action is not in the audit log'),
    );
    throw error;
  }
  tell(ending);
  if (!isNoted) {
    await borrow(db, (connection) => note(connection, ending)).catch((cause) => {
      log.error({ err: cause, action: deed.action }, 'an admin action is not in the audit log');
      throw new Problem('database_unavailable', 'It is done, but could not be noted in the audit log: ask again', {
        retryAfter: 2,
        cause,
      });
    });
  }
  return ending;
}

function entryOf({ action, target, details }: Deed, ending: Ending): AuditEntry {
  return {
    action,
    target: ending.target ?? target,
    status: ending.status,
    details: { ...details, ...ending.details },
  };
}

function refusalOf({ details }: Deed, error: unknown): Ending {
  const problem = error instanceof Problem ? error : databaseProblem(error);
  return { status: problem?.status ?? 500, details: { ...details, code: problem?.code ?? 'internal_error' } };
}
