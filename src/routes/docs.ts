// The API description as a file and as a page. The page loads nothing from other hosts.
// What the routes do is not decided here: openapi.yaml is written by hand, and a test holds it against the routes.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance } from 'fastify';
import { PAGE_POLICY } from '../headers.ts';

/** Two folders up both from `src/routes` and from `dist/routes`. */
const PACKAGE = fileURLToPath(new URL('../..', import.meta.url));
const DESCRIPTION = join(PACKAGE, 'openapi.yaml');

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
  await app.register(swagger, { mode: 'static', specification: { path: DESCRIPTION, baseDir: PACKAGE } });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    theme: { title: 'Sluice API' },
    // Without the bar that loads any other document.
    uiConfig: { layout: 'BaseLayout' },
    staticCSP: PAGE_POLICY,
  });
}
