// Requests as bytes on a socket, for what no HTTP client would send.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** Opens a connection to the server; errors on it are no concern of the test. */
export async function dial(server: { url: string }): Promise<Socket> {
  const { hostname, port } = new URL(server.url);
  const socket = connect({ host: hostname, port: Number(port) });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes and returns all that comes back until the server closes, or for at most twenty seconds. */
export async function exchange(server: { url: string }, ...parts: (string | Buffer)[]): Promise<string> {
  const socket = await dial(server);
  let answer = '';
  socket.setEncoding('utf8').on('data', (text) => {
    answer += text;
  });
  for (const part of parts) socket.write(part);
  const timer = setTimeout(() => socket.destroy(), 20_000);
  await once(socket, 'close');
  clearTimeout(timer);
  return answer;
}
