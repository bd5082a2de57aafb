// A keep-alive connection that sends one prepared request again and again, with as little work as can be: what the load
// generator uses of the cores is taken from the server. It reads answers with a Content-Length, as all of ours have.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Request {
  method: 'GET' | 'POST';
  path: string;
  headers: Record<string, string>;
  body: string;
  /** What the answer is when all is well. */
  status: number;
}

/** One good `user_event`. */
export const EVENT = JSON.stringify({
  event_type: 1,
  event_time: '2026-01-02T03:04:05Z',
  data: { user_email: 'ada@example.com', phone_number: '+4912345' },
  processing_date: '2026-01-02',
});

/** A request as it goes over the wire. */
function bytesOf({ method, path, headers, body }: Request, host: string): Buffer {
  const lines = Object.entries({ host, ...headers, 'content-length': String(Buffer.byteLength(body)) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${head}\r\n${body}`);
}

export class Connection {
  private readonly socket: Socket;
  private readonly bytes: Buffer;
  private received = '';
  private waiting: { resolve(status: number): void; reject(error: Error): void } | undefined;

  private constructor(socket: Socket, bytes: Buffer) {
    this.socket = socket;
    this.bytes = bytes;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.take(text));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  /** @throws where nobody listens */
  static async open(url: string, request: Request): Promise<Connection> {
    const { hostname, port, host } = new URL(url);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    return new Connection(socket, bytesOf(request, host));
  }

  /** Sends the request; resolves with the status of its answer when that is there. One at a time. */
  send(): Promise<number> {
    return new Promise((resolve, reject) => {
      this.waiting = { resolve, reject };
      this.socket.write(this.bytes);
    });
  }

  /** False once the server has closed it. */
  get isOpen(): boolean {
    return !this.socket.destroyed && this.socket.readable;
  }

  close(): void {
    this.waiting = undefined;
    this.socket.destroy();
  }

  private take(text: string): void {
    this.received += text;
    const head = this.received.indexOf('\r\n\r\n');
    if (head < 0) return;
    const length = /\r\ncontent-length: *(\d+)/i.exec(this.received.slice(0, head + 2))?.[1];
    if (length === undefined) {
      this.fail(new Error('an answer without a Content-Length'));
      return;
    }
    if (this.received.length < head + 4 + Number(length)) return;
    const status = Number(this.received.slice(9, 12));
    this.received = '';
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.resolve(status);
  }

  private fail(error: Error): void {
    const { waiting } = this;
    this.waiting = undefined;
    waiting?.reject(error);
  }
}
