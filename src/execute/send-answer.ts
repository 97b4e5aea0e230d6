import type { FastifyReply } from 'fastify';

import type { ExecuteAnswer } from './execute.service.js';

/** Sends the stored bytes themselves: a replay is the same to the byte. */
export function sendAnswer(reply: FastifyReply, answer: ExecuteAnswer): void {
  if (answer.replayed) void reply.header('idempotent-replayed', 'true');
  if (!answer.hasKey) void reply.header('warning', '299 - "no idempotency key"');
  void reply.status(answer.status).header('content-type', 'application/json; charset=utf-8').send(answer.body);
}
