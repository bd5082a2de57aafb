// The Host header, as RFC 9112 section 3.2 has it. Node refuses a request without one by itself, but with an empty
// answer, and of two it quietly takes the first.
import type { IncomingMessage } from 'node:http';
import { Problem } from '../errors.ts';

/** @throws {Problem} `bad_request` where an HTTP/1.1 request has no Host, or more than one */
export function checkHost({ httpVersion, headers, rawHeaders }: IncomingMessage): void {
  if (headers.host === undefined) {
    if (httpVersion === '1.1') throw new Problem('bad_request', 'The request has no Host header');
    return;
  }
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  if (hosts > 1) throw new Problem('bad_request', 'The request has more than one Host header');
}
