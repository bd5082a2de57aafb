// GET /v1/schemas…: the schemas in use.
import type { FastifyInstance } from 'fastify';
import { Problem } from '../errors.ts';
import { pointer } from '../pointer.ts';
import type { Subject } from '../schema/registry.ts';
import type { Service } from '../service.ts';

interface BySubject {
  Params: { subject: string };
}

interface ByVersion {
  Params: { subject: string; version: string };
}

export function schemaRoutes(server: FastifyInstance, app: Service): void {
  server.get('/v1/schemas', { config: { scope: 'read' } }, async () => ({
    items: [...app.schemas.current.subjects.values()].map(outline),
  }));

  server.get<BySubject>('/v1/schemas/:subject', { config: { scope: 'read' } }, async ({ params }) => {
    const subject = findSubject(app, params.subject);
    return { ...outline(subject), ...subject.settings, tables: tables(subject), checks: checks(subject) };
  });

  server.get<BySubject>('/v1/schemas/:subject/versions', { config: { scope: 'read' } }, async ({ params }) => ({
    items: findSubject(app, params.subject).versions.map(({ subject, version }) => ({ subject, version })),
  }));

  server.get<ByVersion>(
    '/v1/schemas/:subject/versions/:version',
    { config: { scope: 'read' } },
    async ({ params }, reply) => {
      const subject = findSubject(app, params.subject);
      const found =
        params.version === 'latest' ? subject.latest : subject.versions.find((each) => each.version === params.version);
      if (found === undefined) {
        throw new Problem(
          'schema_not_found',
          `There is no version ${JSON.stringify(params.version)} of ${subject.name}`,
        );
      }
      return reply.type('application/schema+json; charset=utf-8').send(JSON.stringify(found.document));
    },
  );
}

export function findSubject({ schemas }: Service, name: string): Subject {
  const subject = schemas.current.subjects.get(name);
  if (subject === undefined) throw new Problem('schema_not_found', `There is no subject ${JSON.stringify(name)}`);
  return subject;
}

function outline({ name, latest, versions }: Subject) {
  return { subject: name, latest: latest.version, versions: versions.map((each) => each.version) };
}

/** As they apply to the newest table. */
function checks({ latest }: Subject) {
  return latest.suite.checks.map(({ name, severity, kwargs }) => ({ name, severity, kwargs }));
}

function tables({ versions }: Subject) {
  const majors = new Map(versions.map((version) => [version.plan.table, version]));
  return [...majors].map(([table, { major, plan }]) => ({
    table: `events.${table}`,
    major,
    columns: plan.columns.map(({ name, path, type, notNull }) => ({
      name,
      path: pointer(path),
      type,
      not_null: notNull,
    })),
  }));
}
