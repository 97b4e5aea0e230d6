import { Catch, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import type { Log } from '../logging/log.js';
import { problemAnswer, refusalOf } from './problem.js';

/** The one place where a thrown error becomes an answer. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly log: Log) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    answerWithProblem(error, http.getRequest<FastifyRequest>(), http.getResponse<FastifyReply>(), this.log);
  }
}

/** Also for what fails before Nest: hooks, parsers and the router. */
export function answerWithProblem(error: unknown, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  // A caller that left in the middle of its body is told nothing and is no failure of ours.
  if (request.raw.destroyed && !request.raw.complete) {
    log.info('request.aborted', { requestId: request.id, route: request.routeOptions.url });
    reply.hijack();
    return;
  }
  const refusal = refusalOf(error);
  if (refusal.status >= 500)
    log.error('request.failed', { requestId: request.id, code: refusal.code }, refusal.cause ?? error);
  if (reply.sent) return; // The answer had begun; its connection is cut by Fastify, and the log has the rest.

  const { status, headers, body } = problemAnswer(refusal, request.id);
  // Serialized here: Fastify would take an object of ours for its own error shape.
  void reply.code(status).headers(headers).send(JSON.stringify(body));
}
