// Requests as bytes on a socket, for what no HTTP client would do.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Raw {
  socket: Socket;
  /** Everything that came back so far. */
  text(): string;
  /** Waits until that fits, for at most ten seconds. */
  until(pattern: RegExp): Promise<string>;
  /** Waits until the server closes the connection, for at most ten seconds. */
  closed(): Promise<boolean>;
}

/** Opens a connection and sends bytes. */
export async function raw(server: { url: string }, bytes: string): Promise<Raw> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  let text = '';
  let isClosed = false;
  socket
    .on('error', () => {})
    .on('close', () => {
      isClosed = true;
    });
  socket.setEncoding('utf8').on('data', (part) => {
    text += part;
  });
  await once(socket, 'connect');
  socket.write(bytes);
  const wait = async (isDone: () => boolean): Promise<boolean> => {
    for (let tries = 0; tries < 400 && !isDone(); tries++) await sleep(25);
    return isDone();
  };
  return {
    socket,
    text: () => text,
    until: async (pattern) => {
      await wait(() => pattern.test(text));
      return text;
    },
    closed: () => wait(() => isClosed),
  };
}
