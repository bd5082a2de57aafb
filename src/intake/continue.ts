// `Expect: 100-continue` (RFC 9110 section 10.1.1). Node would tell every client at once to send its body; here it is
// told so when somebody first reads it, and a request that is refused before costs nobody its transfer.
import type { IncomingMessage, Server, ServerResponse } from 'node:http';

const waiting = new WeakMap<IncomingMessage, ServerResponse>();

export function takeOverContinue(server: Server): void {
  server.on('checkContinue', (request, response) => {
    waiting.set(request, response);
    server.emit('request', request, response);
  });
}

/** Lets a client send its body that waits for the word. To be called before the body is first read. */
export function letBodyCome(request: IncomingMessage): void {
  const response = waiting.get(request);
  waiting.delete(request);
  response?.writeContinue();
}

/** True where the client was not asked for its body. Whether it sends it is not known, so the connection cannot go on. */
export function isBodyAwaited(request: IncomingMessage): boolean {
  return waiting.has(request);
}
