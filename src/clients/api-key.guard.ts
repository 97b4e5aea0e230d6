import { timingSafeEqual } from 'node:crypto';

import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';

import { sha256 } from '../platform/crypto/vault.js';
import { DomainError } from '../platform/http/domain-error.js';
import type { Access } from './access.js';
import type { ClientDirectory } from './client-directory.service.js';
import type { ExecuteRateLimit } from './execute-rate-limit.service.js';

/**
 * Finds out who calls, before the body is read: an unknown key, then a spent limit, answer first (docs/behaviour.md 1,
 * guard 1), and nobody without a key makes us parse anything. Hence a hook of Fastify's and no guard of Nest's.
 */
export class ApiKeyGuard {
  private readonly adminKeyHash: Buffer | null;

  constructor(
    private readonly directory: ClientDirectory,
    private readonly rateLimit: ExecuteRateLimit,
    adminKey: string | null,
  ) {
    this.adminKeyHash = adminKey === null ? null : sha256(adminKey);
  }

  /** @throws at the start, when a route does not say who may call it. */
  attachTo(fastify: FastifyInstance): void {
    fastify.addHook('onRoute', demandAccess);
    fastify.addHook('onRequest', (request, reply) => this.admit(request, reply));
  }

  /** @throws {DomainError} 401, 403 `key_not_allowed`, or 429. */
  private async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const { access, countsAsExecute } = request.routeOptions.config;
    if (!access || access.kind === 'open') return; // Without access: no route of ours, and 404 in a moment.

    if (access.admin && this.holdsAdminKey(request)) {
      request.isAdmin = true;
      return;
    }
    await this.admitCaller(request, access);
    if (countsAsExecute && request.caller) {
      const allowance = await this.rateLimit.take(request.caller);
      void reply.headers(allowance.headers);
      if (allowance.refusal) throw allowance.refusal;
    }
  }

  private async admitCaller(request: FastifyRequest, access: Extract<Access, { kind: 'keys' }>): Promise<void> {
    const key = access.kinds.length > 0 ? keyOf(request) : null;
    const caller = key === null ? null : await this.directory.authenticate(key);
    if (!caller) throw unauthorized(access.kinds.length > 0 ? 'an API key' : 'the admin key');
    request.clientId = caller.clientId;
    if (!access.kinds.includes(caller.kind)) {
      throw new DomainError({
        status: 403,
        code: 'key_not_allowed',
        detail: `This call takes a ${access.kinds.join(' or ')} key, and this is a ${caller.kind} key.`,
      });
    }
    request.caller = caller;
  }

  // Digests are compared, as they are of one length whatever was sent.
  private holdsAdminKey({ headers }: FastifyRequest): boolean {
    const key = headers['x-admin-key'];
    return this.adminKeyHash !== null && typeof key === 'string' && timingSafeEqual(sha256(key), this.adminKeyHash);
  }
}

function demandAccess(route: RouteOptions): void {
  if (!route.config?.access) throw new Error(`${String(route.method)} ${route.url} does not say who may call it`);
}

function keyOf({ headers }: FastifyRequest): string | null {
  const own = headers['x-api-key'];
  if (typeof own === 'string') return own;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1] ?? null;
}

/** One answer for a missing, an unknown and a revoked key, so that none can be told from another. */
function unauthorized(wanted: string): DomainError {
  return new DomainError({
    status: 401,
    code: 'unauthorized',
    detail: `This call needs ${wanted} that is known and not revoked.`,
    headers: { 'www-authenticate': 'Bearer realm="revtain"' },
  });
}
