// POST /v1/schemas…: new versions, what they would mean, and the folder once more.
import type { FastifyInstance } from 'fastify';
import { sightOf } from '../access/client.ts';
import { Problem } from '../errors.ts';
import { readDocument } from '../intake/document.ts';
import { readParameters } from '../intake/query.ts';
import {
  checkSubjectName,
  invalidParameter,
  majorOf,
  openCandidate,
  parseCandidate,
  provisionalNumber,
  readNumber,
  weighCandidate,
} from '../registry/candidate.ts';
import { oneOrAll } from '../registry/register.ts';
import { countRescued, judgeStored } from '../registry/stored.ts';
import { MODES, type Mode } from '../schema/compare/difference.ts';
import type { SchemaVersion, Subject } from '../schema/registry.ts';
import type { Service } from '../service.ts';
import { inAudit } from './deed.ts';
import { findSubject } from './schemas.ts';

interface BySubject {
  Params: { subject: string };
}

export function evolutionRoutes(server: FastifyInstance, app: Service): void {
  const { schemas, db, config } = app;

  server.post('/v1/schemas/reload', { config: { scope: 'admin' } }, async (request) => {
    readParameters(request.query, []);
    const deed = { action: 'schema.reload', target: null, details: {} } as const;
    const { reloaded } = await inAudit(db, request, deed, async () => {
      const reloaded = await schemas.reload();
      return { status: 200, details: { added: reloaded.added }, reloaded };
    });
    return reloaded;
  });

  server.post<BySubject>('/v1/schemas/:subject/versions', { config: { scope: 'admin' } }, async (request, reply) => {
    const { subject: name } = request.params;
    checkSubjectName(name);
    const query = readParameters(request.query, ['version']);
    const number = query.version === undefined ? undefined : readNumber(query.version, 'version');
    const document = parseCandidate(await readDocument(request, config.limits));
    const deed = { action: 'schema.register', target: name, details: {} } as const;
    const { registered } = await inAudit(db, request, deed, async () => {
      const registered = await schemas.register({ subject: name, document, number });
      return { status: registered.status === 'existing' ? 200 : 201, target: registered.version.id, registered };
    });
    const { status, version } = registered;
    const answer = { subject: name, version: version.version, status };
    if (status === 'existing') return answer;
    // The version stands, whatever becomes of the count.
    const counted = await countRescued(db, schemas.workbench, version).catch((error) => {
      request.log.warn({ reason: (error as Error).message }, 'stored rejections not counted');
      return null;
    });
    reply.code(201).header('location', `/v1/schemas/${name}/versions/${version.version}`);
    return { ...answer, ...(counted ?? { rescued: null, rejections_checked: 0 }) };
  });

  server.post<BySubject>('/v1/schemas/:subject/compatibility', { config: { scope: 'read' } }, async (request) => {
    const { subject: name } = request.params;
    const query = readParameters(request.query, ['mode', 'against']);
    const mode = query.mode === undefined ? undefined : readMode(query.mode);
    const subject = findSubject(app, name);
    const against = query.against === undefined ? undefined : findVersion(subject, query.against);
    const document = parseCandidate(await readDocument(request, config.limits));
    const versions = majorOf(subject, against?.major);
    const bytes = Buffer.from(JSON.stringify(document));
    const opened = await openCandidate(schemas.folder, name, provisionalNumber(versions), bytes, true);
    const predecessors = against === undefined ? versions : [against];
    const weighed = await weighCandidate(opened.candidate, subject, predecessors, schemas.workbench, mode);
    return {
      compatible: weighed.compatible,
      mode: weighed.mode,
      against: oneOrAll(weighed.against),
      needed_bump: weighed.needed_bump,
      differences: weighed.differences,
      stored: await judgeStored(db, schemas.workbench, opened.candidate, subject, sightOf(request.client)),
    };
  });
}

function readMode(text: string): Mode {
  const mode = MODES.find((each) => each === text);
  if (mode !== undefined) return mode;
  throw invalidParameter('mode', `The parameter mode is ${JSON.stringify(text)}: allowed is ${MODES.join(', ')}`);
}

function findVersion(subject: Subject, text: string): SchemaVersion {
  if (text === 'latest') return subject.latest;
  const version = readNumber(text, 'against').join('.');
  const found = subject.versions.find((each) => each.version === version);
  if (found === undefined) throw new Problem('schema_not_found', `There is no version ${version} of ${subject.name}`);
  return found;
}
