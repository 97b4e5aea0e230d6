import type { FastifyInstance } from 'fastify';

import type { Clock } from '../clock.js';
import type { Log } from './log.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by whoever finds out who calls. */
    clientId?: string;
    startedAtMs?: number;
  }
}

/** One line per request, when its answer is out or its caller gone. The route's template stands for its path and query. */
export function logRequests(fastify: FastifyInstance, log: Log, clock: Clock): void {
  fastify.addHook('onRequest', (request, _reply, done) => {
    request.startedAtMs = clock.monotonicMs();
    done();
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    log.info('request', {
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? 'unknown',
      status: reply.statusCode,
      durationMs: Math.round((clock.monotonicMs() - (request.startedAtMs ?? clock.monotonicMs())) * 10) / 10,
      clientId: request.clientId,
    });
    done();
  });
}
