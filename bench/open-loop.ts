// Requests at a fixed rate, as many senders who know nothing of each other send them: each goes out when it is due,
// whether or not others are answered, and its latency counts from when it was due. A client that waits for answers would
// hide the very waiting that is to be measured.
import { Connection, type Request } from './connection.ts';

/** Beyond these a request waits for a connection, and that counts as its latency too. */
const MOST_CONNECTIONS = 512;

/** What became of the requests. */
export interface Answered {
  /** Of those answered as they should be, in milliseconds. */
  latencies: number[];
  /** The share of those that were turned away, for the server had too much to do (429, 503). */
  refused: number;
}

export interface OpenLoop {
  /** Ends it, once what is under way is answered. */
  stop(): Promise<Answered>;
}

/**
 * Sends requests until it is stopped.
 * @param perSecond how many are due in a second
 */
export async function openLoop(url: string, request: Request, perSecond: number): Promise<OpenLoop> {
  const idle = await Promise.all(Array.from({ length: 64 }, () => Connection.open(url, request)));
  const all = new Set(idle);
  const latencies: number[] = [];
  const queue: number[] = [];
  let opening = 0;
  let refused = 0;
  let failure: Error | undefined;
  const start = performance.now();
  let sent = 0;
  let isOver = false;

  const end = (): void => {
    isOver = true;
    clearInterval(timer);
  };
  // It ends by itself when the server does.
  const failed = (error: Error): void => {
    failure ??= error;
    end();
  };
  const serve = async (connection: Connection, due: number): Promise<void> => {
    for (let at: number | undefined = due; at !== undefined; at = queue.shift()) {
      const status = await connection.send();
      if (status === request.status) latencies.push(performance.now() - at);
      else if (status === 429 || status === 503) refused++;
      else throw new Error(`${request.method} ${request.path}: ${status}`);
    }
    idle.push(connection);
  };
  const openAnother = async (): Promise<void> => {
    opening++;
    const opened = await Connection.open(url, request);
    opening--;
    all.add(opened);
    const next = queue.shift();
    if (next === undefined) idle.push(opened);
    else await serve(opened, next);
  };
  /** The one used last, so that those of a burst fall idle; the server closes such in time. */
  const openIdle = (): Connection | undefined => {
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (connection.isOpen) return connection;
      all.delete(connection);
    }
    return undefined;
  };
  const dispatch = (due: number): void => {
    const connection = openIdle();
    if (connection !== undefined) {
      serve(connection, due).catch(failed);
      return;
    }
    queue.push(due);
    if (all.size + opening < MOST_CONNECTIONS) openAnother().catch(failed);
  };
  const timer = setInterval(() => {
    const elapsed = performance.now() - start;
    for (; !isOver && (sent * 1000) / perSecond <= elapsed; sent++) dispatch(start + (sent * 1000) / perSecond);
  }, 1);

  return {
    async stop() {
      end();
      const deadline = performance.now() + 30_000;
      while (latencies.length + refused < sent && failure === undefined && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      for (const connection of all) connection.close();
      if (failure !== undefined) throw failure;
      const missing = sent - latencies.length - refused;
      if (missing > 0) throw new Error(`${missing} requests were never answered`);
      return { latencies, refused: refused / sent };
    },
  };
}
