// Where no keys are asked for, whoever reaches the server may do everything, and a page of any site in a browser on the
// same machine reaches it. Browsers say in headers that no page can change where a request comes from; whatever is no
// browser sends none of them and is left alone.
import { isIP } from 'node:net';
import type { FastifyRequest } from 'fastify';
import { Problem } from '../errors.ts';

const READS = new Set(['GET', 'HEAD']);

/**
 * Refuses what the page of another site asks for.
 * @param isLocal the server is for this machine alone: then a name that is not its own is one that somebody has pointed
 *   at it (DNS rebinding), and the browser would hand the answers to that page
 * @throws {Problem} `cross_origin`
 */
export function refuseOtherSites({ method, headers }: FastifyRequest, isLocal: boolean): void {
  const { origin, host = '' } = headers;
  const site = headers['sec-fetch-site'];
  if (origin === undefined && site === undefined) return;
  if (isLocal && !isOwnName(host)) throw refusal(`A page of ${origin ?? host} may not ask here`);
  if (READS.has(method) || origin === undefined) return;
  // https://www.w3.org/TR/fetch-metadata/#sec-fetch-site-header; a proxy may have changed Host on the way.
  if (site === 'same-origin') return;
  if (hostOf(origin) !== host.toLowerCase()) throw refusal(`A page of ${origin} may not change anything here`);
}

function refusal(detail: string): Problem {
  return new Problem('cross_origin', `${detail.slice(0, 200)}: keys (AUTH=on) tell who is who`);
}

/** With its port, as in a Host header; undefined for `null` and other origins without one. */
function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host || undefined : undefined;
}

/** No site has an address, or `localhost` (RFC 6761 section 6.3), for a name. */
function isOwnName(host: string): boolean {
  const name = host
    .replace(/:\d*$/, '')
    .replace(/^\[(.*)\]$/, '$1')
    .toLowerCase();
  return isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
}
