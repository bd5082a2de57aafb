// The API description as a file and as a page. The page loads nothing from other hosts.
// What the routes do is not decided here: openapi.yaml is written by hand, and a test holds it against the routes.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { parse } from 'yaml';
import { PAGE_POLICY } from '../headers.ts';

/** Two folders up both from `src/routes` and from `dist/routes`. */
const DESCRIPTION = fileURLToPath(new URL('../../openapi.yaml', import.meta.url));
const NOTHING_YET = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {} };

/** Registers `GET /openapi.yaml` (RFC 9512) and `GET /docs` with its assets below `/docs/`. */
export async function docsRoutes(app: FastifyInstance): Promise<void> {
  const description = readFileSync(DESCRIPTION, 'utf8');
  app.get('/openapi.yaml', { config: { scope: null } }, (_request, reply) =>
    reply.type('application/yaml').send(description),
  );

  // swagger-ui registers its routes itself.
  app.addHook('onRoute', (route) => {
    if (route.url.startsWith('/docs')) route.config = { ...route.config, scope: null };
  });
  // To parse it takes a fifth of the server's start: that waits for the first who looks at the page.
  let parsed: Record<string, unknown> | undefined;
  await app.register(swagger, { mode: 'static', specification: { document: NOTHING_YET } });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Sluice API' },
    // Without the bar that loads any other document.
    uiConfig: { layout: 'BaseLayout' },
    staticCSP: PAGE_POLICY,
    transformSpecificationClone: false,
    transformSpecification: () => {
      parsed ??= parse(description) as Record<string, unknown>;
      return parsed;
    },
  });
}
