// The only wiring: routes by name, one error handler, and nothing that decides anything.
import type { IncomingMessage } from 'node:http';
import multipart from '@fastify/multipart';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import { databaseProblem } from './db.ts';
import { Problem } from './errors.ts';
import { Admission } from './intake/admission.ts';
import { batchRoutes } from './routes/batches.ts';
import { docsRoutes } from './routes/docs.ts';
import { eventRoutes } from './routes/events.ts';
import { evolutionRoutes } from './routes/evolution.ts';
import { healthRoutes } from './routes/health.ts';
import { reconciliationRoutes } from './routes/reconciliation.ts';
import { rejectionRoutes } from './routes/rejections.ts';
import { schemaRoutes } from './routes/schemas.ts';
import { settleRoutes } from './routes/settle.ts';
import type { Service } from './service.ts';
import { Singles } from './singles.ts';

/** Builds the HTTP server; it does not listen yet. */
export async function buildServer(app: Service, log: Logger): Promise<FastifyInstance> {
  const server = Fastify({
    loggerInstance: log as FastifyBaseLogger,
    // Requests are told of by their batches; a line for each of thousands of single events tells nobody anything.
    logController: new LogController({ disableRequestLogging: true }),
    frameworkErrors: (error, _request, reply) => sendProblem(reply as FastifyReply, toProblem(error)),
    // A request that comes too late is told so in our own words, by the hook below.
    return503OnClosing: false,
    // Bodies are streamed, and their time is bounded by their idle time instead.
    requestTimeout: 0,
    clientErrorHandler(error, socket) {
      if (!socket.writable || (error as NodeJS.ErrnoException).code === 'ECONNRESET') {
        socket.destroy();
        return;
      }
      const tooLarge = (error as NodeJS.ErrnoException).code === 'HPE_HEADER_OVERFLOW';
      const problem = new Problem(tooLarge ? 'headers_too_large' : 'bad_request', 'The request cannot be read as HTTP');
      const body = JSON.stringify(problem);
      socket.end(
        `HTTP/1.1 ${problem.status} ${tooLarge ? 'Request Header Fields Too Large' : 'Bad Request'}\r\n` +
          `Content-Type: application/problem+json\r\nContent-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
      );
    },
  });

  // A connection that is kept alive would keep a stopping server waiting.
  let isClosing = false;
  server.addHook('preClose', async () => {
    isClosing = true;
  });
  server.addHook('onRequest', async () => {
    if (isClosing) throw new Problem('shutting_down', 'This process takes no more requests', { retryAfter: 1 });
  });
  server.addHook('onSend', async (_request, reply) => {
    if (isClosing) reply.header('connection', 'close');
  });

  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = toProblem(error);
    passOver(request.raw, app.config.limits.idleMs);
    if (problem.status >= 500) request.log.error({ err: error.cause ?? error, code: problem.code }, 'request failed');
    return sendProblem(reply, problem);
  });
  server.setNotFoundHandler((request, reply) => {
    const problem = notFound(server, request.method, request.url);
    if (problem.code === 'method_not_allowed') reply.header('allow', (problem.members.allowed as string[]).join(', '));
    return sendProblem(reply, problem);
  });

  await server.register(multipart, { throwFileSizeLimit: false });
  // Every other body reaches its route as the stream it is.
  server.removeContentTypeParser(['application/json', 'text/plain']);
  server.addContentTypeParser('*', (_request, _payload, done) => done(null));

  const admission = new Admission(app.config.limits.batches);
  eventRoutes(server, app, admission, singlesOf(app));
  batchRoutes(server, app);
  settleRoutes(server, app);
  reconciliationRoutes(server, app);
  rejectionRoutes(server, app, admission);
  schemaRoutes(server, app);
  evolutionRoutes(server, app);
  healthRoutes(server, app);
  await docsRoutes(server);
  return server;
}

function singlesOf({ config, db, presence, sweeper }: Service): Singles {
  const onLost = (batchId: string) => sweeper.add(batchId);
  return new Singles({ db, limits: config.limits, process: presence.process, onLost });
}

function sendProblem(reply: FastifyReply, problem: Problem): FastifyReply {
  // A client that fell silent in the middle of its body cannot use the connection for anything else.
  if (problem.code === 'body_timeout') reply.header('connection', 'close');
  if (problem.retryAfter !== undefined) reply.header('retry-after', String(problem.retryAfter));
  return reply.code(problem.status).type('application/problem+json').send(JSON.stringify(problem));
}

/**
 * Reads on past what is left of a refused body: unread, it would stand before the connection's next request for ever. A
 * body that nobody has begun to read is passed over by Node itself.
 */
function passOver(request: IncomingMessage, idleMs: number): void {
  if (!request.readableDidRead || request.complete || request.destroyed) return;
  request.socket.setTimeout(idleMs, () => {
    if (!request.complete) request.destroy();
  });
  request.resume();
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  const database = databaseProblem(error);
  if (database !== undefined) return database;
  if (error.code === 'ECONNRESET') return new Problem('incomplete_body', 'The client went away', { cause: error });
  if (error.code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE') return new Problem('unsupported_media_type', error.message);
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new Problem('bad_request', error.message.slice(0, LONGEST_DETAIL), { cause: error });
  }
  return new Problem('internal_error', 'Nothing was stored; the log tells more', { cause: error });
}

/** What a client sent is said back to it, but not at any length. */
const LONGEST_DETAIL = 300;

const METHODS = ['GET', 'POST', 'DELETE', 'PUT', 'PATCH'] as const;

function notFound(server: FastifyInstance, method: string, url: string): Problem {
  const path = url.split('?', 1)[0]!;
  const allowed = METHODS.filter((each) => server.findRoute({ url: path, method: each }) !== null);
  if (allowed.length === 0) return new Problem('not_found', `There is nothing at ${path.slice(0, LONGEST_DETAIL)}`);
  return new Problem('method_not_allowed', `${path} takes ${allowed.join(', ')}, not ${method}`, {
    members: { allowed },
  });
}
