// Whether this process asks for keys, and where it looks them up.
import { isIP } from 'node:net';
import type { KeyRing } from './ring.ts';

export interface Access {
  /** Absent: no keys are asked for. */
  ring: KeyRing | undefined;
  /**
   * Nobody has said AUTH=off: keys are not asked for because only this machine can reach the server. Then pages in its
   * browsers are the strangers, see cross-origin.ts.
   */
  isLocal: boolean;
}

/** True for an address that only this machine can reach (RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3). */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.');
  return host === '::1' || host.toLowerCase() === 'localhost';
}
