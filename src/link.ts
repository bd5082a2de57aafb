// The link between this process and Postgres as a whole: every socket that leads there, whoever opened it. Where Postgres
// falls silent nothing would ever end by itself; here all of it can be cut at once, so that whoever waits is told.
// It decides nothing: src/presence.ts says when the link is down.
import { Socket } from 'node:net';

export class Link {
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<(lost: Error) => void>();
  #isDown = false;

  /** Whether nobody gets a connection at present. */
  get isDown(): boolean {
    return this.#isDown;
  }

  /** A socket for one connection: the `stream` of a pg client. While the link is down it breaks at once. */
  readonly open = (): Socket => {
    const socket = new Socket();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    // pg begins to connect in this very tick, and has its listeners on the socket only then.
    if (this.#isDown) setImmediate(() => socket.destroy(lost('Postgres does not answer')));
    return socket;
  };

  /** Breaks every connection: what is under way on them fails as it does when Postgres goes away. */
  cut(reason: string): void {
    for (const socket of this.#sockets) socket.destroy(lost(reason));
  }

  /** {@link cut}, and until {@link up} no connection is given to anybody. */
  down(reason: string): void {
    this.#isDown = true;
    for (const fail of this.#waiting) fail(lost(reason));
    this.cut(reason);
  }

  up(): void {
    this.#isDown = false;
  }

  /**
   * Waits for a connection, but no longer than the link is up.
   * @param giveBack what to do with a connection that comes too late
   * @throws {Error} with the code of a lost connection
   */
  waitFor<T>(ask: () => Promise<T>, giveBack: (late: T) => unknown): Promise<T> {
    if (this.#isDown) return Promise.reject(lost('Postgres does not answer'));
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      ask().then(
        (connection) => {
          if (this.#waiting.delete(reject) && !this.#isDown) resolve(connection);
          else {
            giveBack(connection);
            reject(lost('Postgres does not answer'));
          }
        },
        (error) => {
          this.#waiting.delete(reject);
          reject(error);
        },
      );
    });
  }
}

/** In the form of the errors of a socket, by which src/db.ts knows them. */
function lost(reason: string): Error {
  return Object.assign(new Error(`connection terminated: ${reason}`), { code: 'ECONNABORTED' });
}
