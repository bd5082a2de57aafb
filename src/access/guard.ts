// Who asks, and may they? Judged when the headers are there, before anything of a body is read. Every route states its
// scope in its file; a route that states none stops the start.
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Problem } from '../errors.ts';
import type { Access } from './access.ts';
import { ANYBODY, type Client, type Scope } from './client.ts';
import { refuseOtherSites } from './cross-origin.ts';
import { KeyMeters } from './limits.ts';
import type { Holder, KeyRing } from './ring.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who sent it. */
    client: Client;
    /** Uploads that its key may have under way at once; 0: no limit. */
    mostUploads: number;
  }
  interface FastifyContextConfig {
    /** What a key needs for this route; null: no key is asked for. */
    scope?: Scope | null;
  }
}

/** Whoever asks for what is open to all, where keys are asked for elsewhere. */
const NOBODY: Client = { id: null, keyId: null, name: 'nobody', scopes: new Set(), subjects: new Set() };

/** One for all: whoever tries keys by the thousand shall not cost a stack trace each. */
const UNAUTHORIZED = new Problem('unauthorized', 'It needs a valid API key: Authorization: Bearer sluice_…');

/** RFC 6750 section 2.1; the scheme is not case-sensitive (RFC 9110 section 11.1). */
const BEARER = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i;

/** Puts the guard before all routes that are registered afterwards. */
export function guard(server: FastifyInstance, { ring, isLocal }: Access): void {
  // A hook below sets it on every request.
  server.decorateRequest('client', null as unknown as Client);
  server.decorateRequest('mostUploads', 0);
  const routes: RouteOptions[] = [];
  server.addHook('onRoute', (route) => {
    routes.push(route);
  });
  server.addHook('onReady', async () => {
    for (const { config, method, url } of routes) {
      if (config?.scope === undefined) throw new Error(`the route ${method} ${url} states no scope`);
    }
  });
  if (ring === undefined) {
    server.addHook('onRequest', (request, _reply, done) => {
      request.client = ANYBODY;
      if (!isOpen(request)) refuseOtherSites(request, isLocal);
      done();
    });
    return;
  }
  const meters = new KeyMeters();
  server.addHook('onRequest', async (request, reply) => {
    request.client = NOBODY;
    if (isOpen(request)) return;
    const holder = await identify(ring, request, reply);
    request.client = holder.client;
    request.mostUploads = holder.limits.uploads;
    await meters.count(holder, request.raw, reply);
    const scope = request.routeOptions.config.scope!;
    if (!holder.client.scopes.has(scope)) {
      throw new Problem('forbidden', `The key may not do this: it has not the scope ${scope}`, { members: { scope } });
    }
  });
}

/** Open to all: what the route says to be so, and what is no route. */
function isOpen({ is404, routeOptions }: FastifyRequest): boolean {
  return is404 || routeOptions.config.scope === null;
}

/** @throws {Problem} `unauthorized`, in the same words whatever is wrong with the key */
async function identify(ring: KeyRing, request: FastifyRequest, reply: FastifyReply): Promise<Holder> {
  const token = tokenOf(request);
  const holder = token === undefined ? undefined : await ring.identify(token);
  if (holder !== undefined) return holder;
  // RFC 6750 section 3: no error code where no credentials came.
  const error = request.headers.authorization === undefined ? '' : ', error="invalid_token"';
  reply.header('www-authenticate', `Bearer realm="sluice"${error}`);
  throw UNAUTHORIZED;
}

function tokenOf({ raw, headers }: FastifyRequest): string | undefined {
  if (headers.authorization === undefined) return undefined;
  // Node keeps the first of several, a proxy before us might have looked at another.
  if (raw.headersDistinct.authorization!.length > 1) return undefined;
  return BEARER.exec(headers.authorization)?.[1];
}
