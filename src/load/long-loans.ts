// Connections that one batch keeps for as long as it is being received: at most half of the pool's, so that others always
// find one.
import { borrow, type Connection, type Database } from '../db.ts';

/** How long a client may keep such a connection waiting, with a transaction open on it, in milliseconds. */
export const IDLE_MS = 1_000;

export interface Loan {
  connection: Promise<Connection>;
  /** Ends the loan; with an error the connection is closed. */
  giveBack: (error?: unknown) => void;
}

/** How many there are, by pool. */
const lent = new WeakMap<Database, number>();

/** A connection that is kept until it is given back; undefined where as many as may be are lent already. */
export function lend(db: Database): Loan | undefined {
  const count = lent.get(db) ?? 0;
  if (count >= Math.floor(db.client.pool.max / 2)) return undefined;
  lent.set(db, count + 1);
  let giveBack: Loan['giveBack'] = () => {};
  const isOver = new Promise<void>((resolve, reject) => {
    giveBack = (error) => (error === undefined ? resolve() : reject(error));
  });
  // A loan that never began is given back to nobody.
  isOver.catch(() => {});
  const connection = new Promise<Connection>((resolve, reject) => {
    borrow(db, (borrowed) => {
      resolve(borrowed);
      return isOver;
    })
      // Once it has been handed out, whoever has it knows of the error.
      .catch(reject)
      .finally(() => lent.set(db, lent.get(db)! - 1));
  });
  return { connection, giveBack };
}
