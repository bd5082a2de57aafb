// A peer of single events: the plain service that somebody would write in an afternoon. It validates with the same JSON
// Schema, by fastify's own means, and answers each request when its INSERT is committed.
import { readFile } from 'node:fs/promises';
import Fastify from 'fastify';
import pg from 'pg';

const INSERT = `INSERT INTO public.service (event_type, event_time, user_email, phone_number, processing_date, _batch_id,
    _line, _schema_version, _received_at)
  VALUES ($1, $2, $3, $4, $5, gen_random_uuid(), 1, '1.0.0', now())`;

interface UserEvent {
  event_type: number;
  event_time: string;
  data: { user_email: string; phone_number: string };
  processing_date: string;
}

const schema = JSON.parse(await readFile('schemas/user_event/1.0.0.json', 'utf8'));
// Ours, and unknown to fastify.
delete schema.properties.data['x-column-prefix'];

const pool = new pg.Pool({ connectionString: process.env.DATABASE_URL, max: Number(process.env.POOL_SIZE) });
const server = Fastify();

server.post<{ Body: UserEvent }>('/events', { schema: { body: schema } }, async ({ body }, reply) => {
  const { event_type, event_time, data, processing_date } = body;
  const values = [event_type, event_time, data.user_email, data.phone_number, processing_date];
  await pool.query({ name: 'insert', text: INSERT, values });
  return reply.code(201).send({ status: 'stored' });
});

process.once('SIGTERM', () => process.exit(0));
const url = await server.listen({ port: 0, host: '127.0.0.1' });
process.stdout.write(`${JSON.stringify({ msg: 'listening', url })}\n`);
