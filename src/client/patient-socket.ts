// A socket whose failed write does not hide what the server said before it closed. A server that refuses an upload in
// the middle answers and closes; the next write then fails, and Node would throw the unread answer away with the socket.
import { Socket, type TcpNetConnectOpts } from 'node:net';

type WriteDone = (error?: Error | null) => void;

class PatientSocket extends Socket {
  override _write(chunk: unknown, encoding: BufferEncoding, done: WriteDone): void {
    super._write(chunk, encoding, unlessClosed(done));
  }

  override _writev(chunks: { chunk: unknown; encoding: BufferEncoding }[], done: WriteDone): void {
    super._writev!(chunks, unlessClosed(done));
  }
}

/**
 * Passes on everything but the peer's close: that write never ends, no further one begins, and the reading side comes
 * to the answer or, after it or in its place, to the end of the connection.
 */
function unlessClosed(done: WriteDone): WriteDone {
  return (error) => {
    const code = (error as NodeJS.ErrnoException | null | undefined)?.code;
    if (code !== 'EPIPE' && code !== 'ECONNRESET') done(error);
  };
}

/** For the option `createConnection` of `http.request`. */
export function connectPatiently(options: object): Socket {
  // Without probes a wait for the answer of a machine that has vanished would never end.
  return new PatientSocket().connect({ ...(options as TcpNetConnectOpts), keepAlive: true });
}
