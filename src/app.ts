// The only wiring: routes by name, one error handler, and nothing that decides anything.
import { type IncomingMessage, STATUS_CODES } from 'node:http';
import multipart from '@fastify/multipart';
import Fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  LogController,
} from 'fastify';
import type { Logger } from 'pino';
import { guard } from './access/guard.ts';
import { databaseProblem } from './db.ts';
import { Problem } from './errors.ts';
import { HEADERS, RAW_HEADERS, securityHeaders } from './headers.ts';
import { Admission } from './intake/admission.ts';
import { isBodyAwaited, takeOverContinue } from './intake/continue.ts';
import { checkHost } from './intake/host.ts';
import { shuttingDown } from './intake/pace.ts';
import { boundTraffic, headerBounds } from './intake/traffic.ts';
import { hideBatches } from './routes/batch-sight.ts';
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
    // No hook runs before these.
    frameworkErrors: (error, _request, reply) => sendProblem(reply.headers(HEADERS) as FastifyReply, toProblem(error)),
    // A request that comes too late is told so in our own words, by the hook below.
    return503OnClosing: false,
    // Bodies are streamed, and their time is bounded by their idle time instead.
    requestTimeout: 0,
    // The Host header is looked at by the hook below, so that the answer is a problem document.
    http: { ...headerBounds(app.config.limits), requireHostHeader: false },
    clientErrorHandler(error, socket) {
      if (!socket.writable || (error as NodeJS.ErrnoException).code === 'ECONNRESET') {
        socket.destroy();
        return;
      }
      const problem = unreadable((error as NodeJS.ErrnoException).code);
      const body = JSON.stringify(problem);
      socket.end(
        `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n` +
          `Content-Type: application/problem+json\r\nContent-Length: ${body.length}\r\n${RAW_HEADERS}Connection: close\r\n\r\n${body}`,
      );
    },
  });

  securityHeaders(server);

  // A connection that is kept alive would keep a stopping server waiting.
  let isClosing = false;
  server.addHook('preClose', async () => {
    isClosing = true;
  });
  // With a callback, as all hooks that every request comes by: a promise for each cost a tenth of an empty answer.
  server.addHook('onRequest', ({ raw }, _reply, done) => {
    checkHost(raw);
    done(isClosing ? shuttingDown() : undefined);
  });
  takeOverContinue(server.server);
  server.addHook('onSend', (request, reply, _payload, done) => {
    if (isClosing || isBodyAwaited(request.raw)) reply.header('connection', 'close');
    done();
  });
  boundTraffic(server, app.config.limits);

  server.setErrorHandler<FastifyError>((error, request, reply) => {
    const problem = hasVanished(request.raw, error) ? vanished(error) : toProblem(error);
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

  guard(server, app.access);
  hideBatches(server, app.db);

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

/** What is said of a request that Node could not read to the end of its headers. */
function unreadable(code: string | undefined): Problem {
  const detail = 'The request cannot be read as HTTP';
  if (code === 'HPE_HEADER_OVERFLOW') return new Problem('headers_too_large', detail);
  if (code !== 'ERR_HTTP_REQUEST_TIMEOUT') return new Problem('bad_request', detail);
  return new Problem('body_timeout', 'The headers of the request did not come to an end in time');
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
 * Reads on past what is left of a refused body: unread, it would stand before the connection's next request for ever.
 * Node itself does that only with bodies that nobody has asked for a byte of.
 */
function passOver(request: IncomingMessage, idleMs: number): void {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  const giveUp = (): void => {
    if (!request.complete) request.destroy();
  };
  socket.setTimeout(idleMs, giveUp);
  // The connection goes on: to the requests after this one the patience for its body means nothing.
  request.once('close', () => socket.off('timeout', giveUp));
  // Whoever was reading, and stopped, still listens: data would go on waiting to be asked for.
  request.removeAllListeners('readable');
  request.resume();
}

/** Whether it is the client that broke off: Postgres's connections fail with the same code. */
function hasVanished(request: IncomingMessage, { code }: FastifyError): boolean {
  return code === 'ECONNRESET' && request.errored !== null;
}

function vanished(error: FastifyError): Problem {
  return new Problem('incomplete_body', 'The client went away', { cause: error });
}

function toProblem(error: FastifyError): Problem {
  if (error instanceof Problem) return error;
  const database = databaseProblem(error);
  if (database !== undefined) return database;
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
