import { Injectable } from '@nestjs/common';

import type { Caller } from '../clients/caller.js';
import { FirstEndpoint } from '../clients/ports.js';
import { Clock } from '../platform/clock.js';
import type { Transaction } from '../platform/db/database.js';
import { checkUrl } from '../platform/egress/url-rules.js';
import { badField, conflict, type DomainError, notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import { Random } from '../platform/random.js';
import type { CreateEndpointBody, EndpointsQuery, UpdateEndpointBody } from './endpoint.dto.js';
import { EndpointRepository, type Endpoint } from './endpoint.repository.js';
import { EndpointVault } from './endpoint-secrets.js';
import { endpointView, type EndpointView } from './endpoint-view.js';
import { EVENT_TYPES } from './event-types.js';
import { ENDPOINTS_MAX } from './outbox.js';
import { Pings, type PingResult } from './pings.service.js';
import { Resends } from './resends.service.js';
import { newSecret } from './signature.js';
import { WebhooksConfig } from './webhooks.config.js';

const HOUR_MS = 3_600_000;

/** What the answer adds when a disabled endpoint is enabled again. */
export interface Reenabled {
  /** Sent before anything else. The endpoint is enabled whatever came of it. */
  ping: PingResult;
  /** Events that it did not get, and the call that sends them. */
  missed: { count: number; since: string; recover: { method: 'POST'; path: string; body: { since: string } } };
}

/** The addresses a merchant wants its events at. */
@Injectable()
export class EndpointsService extends FirstEndpoint {
  constructor(
    private readonly endpoints: EndpointRepository,
    private readonly vault: EndpointVault,
    private readonly pings: Pings,
    private readonly resends: Resends,
    private readonly ids: Ids,
    private readonly random: Random,
    private readonly clock: Clock,
    private readonly config: WebhooksConfig,
  ) {
    super();
  }

  override async create(tx: Transaction, clientId: string, url: string): Promise<{ secret: string }> {
    this.checkUrl('webhookUrl', url);
    const { endpoint, secret } = this.make(clientId, { url });
    if (!(await this.endpoints.insert(endpoint, tx))) throw tooMany();
    return { secret };
  }

  /** The secret is shown this once. @throws {DomainError} 400, 409 `too_many_endpoints`. */
  async add(clientId: string, body: CreateEndpointBody): Promise<EndpointView & { secret: string }> {
    this.check(body);
    const { endpoint, secret } = this.make(clientId, body);
    if (!(await this.endpoints.insert(endpoint))) throw tooMany();
    return { ...this.view(endpoint), secret };
  }

  /** @throws {DomainError} 400 `invalid_cursor`. */
  async list(clientId: string, { after, limit }: EndpointsQuery) {
    const rows = await this.endpoints.list(clientId, after, limit + 1);
    if (!rows) throw badField('after', 'invalid_cursor', 'is no row of this list', 'nextAfter of the page before');
    const data = rows.slice(0, limit).map((each) => this.view(each));
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.id ?? null) : null };
  }

  /** @throws {DomainError} 404. */
  async read(clientId: string, id: string): Promise<EndpointView> {
    return this.view(known(await this.endpoints.find(clientId, id)));
  }

  /**
   * Changes what the body names. One that was disabled is pinged before it gets anything else, and the answer offers what
   * it has missed. @throws {DomainError} 400, 404.
   */
  async update(
    caller: Caller,
    id: string,
    body: UpdateEndpointBody,
  ): Promise<EndpointView & { reenabled?: Reenabled }> {
    if (Object.values(body).every((value) => value === undefined)) {
      throw badField('body', 'missing_field', 'names nothing to change', 'at least one field of the endpoint');
    }
    this.check(body);
    const { clientId } = caller;
    const before = known(await this.endpoints.find(clientId, id));
    const turnsOn = body.enabled === true && !before.enabled;
    const ping = turnsOn ? await this.pings.ping(caller, { ...before, url: body.url ?? before.url }) : null;
    const realNow = this.clock.now();
    const changed = await this.endpoints.change(clientId, id, realNow, (now) => this.changed(now, body, realNow));
    const view = this.view(known(changed));
    return ping ? { ...view, reenabled: { ping, missed: await this.missedBy(before) } } : view;
  }

  /** @throws {DomainError} 404. */
  async remove(clientId: string, id: string): Promise<void> {
    if (!(await this.endpoints.remove(clientId, id, this.clock.now()))) throw unknown();
  }

  /**
   * A new secret; the old one signs beside it for so many hours. Without an overlap, every older one ends at once.
   * @throws {DomainError} 404; 409 while an earlier overlap runs: a receiver may know nothing but the oldest secret.
   */
  async rotateSecret(clientId: string, id: string, overlapHours: number) {
    const secret = newSecret(this.random);
    const realNow = this.clock.now();
    const until = overlapHours === 0 ? null : new Date(realNow.getTime() + overlapHours * HOUR_MS);
    const rotated = await this.endpoints.change(clientId, id, realNow, (endpoint) => {
      const running = endpoint.previousSecretUntil;
      if (until !== null && running !== null && running > realNow) throw rotationRunning(running);
      return {
        ...endpoint,
        secretSealed: this.vault.sealSecret(clientId, id, secret),
        previousSecretSealed: until === null ? null : this.vault.resealAsPrevious(endpoint),
        previousSecretUntil: until,
        updatedAt: realNow,
      };
    });
    return { id: known(rotated).id, secret, previousSecretUntil: until?.toISOString() ?? null };
  }

  /** Sends `webhook.test` now, once. @throws {DomainError} 404. */
  async ping(caller: Caller, id: string) {
    return this.pings.ping(caller, known(await this.endpoints.find(caller.clientId, id)));
  }

  private async missedBy(before: Endpoint): Promise<Reenabled['missed']> {
    const from = await this.endpoints.missingSince(before);
    const since = from.toISOString();
    const path = `/api/webhook-endpoints/${before.id}/recover`;
    const count = await this.resends.countMissed(before.clientId, before.id, from);
    return { count, since, recover: { method: 'POST', path, body: { since } } };
  }

  private make(clientId: string, body: CreateEndpointBody): { endpoint: Endpoint; secret: string } {
    const id = this.ids.prefixed('we');
    const secret = newSecret(this.random);
    const realNow = this.clock.now();
    const enabled = body.enabled ?? true;
    const endpoint: Endpoint = {
      clientId,
      id,
      url: body.url,
      events: body.events ?? null,
      description: body.description ?? null,
      enabled,
      disabledReason: enabled ? null : 'by_request',
      disabledAt: enabled ? null : realNow,
      headersSealed: this.vault.sealHeaders(clientId, id, body.headers ?? {}),
      effectTracking: body.effectTracking ?? 'off',
      consolidate: body.consolidate ?? false,
      secretSealed: this.vault.sealSecret(clientId, id, secret),
      previousSecretSealed: null,
      previousSecretUntil: null,
      failingSince: null,
      throttledUntil: null,
      breakerUntil: null,
      createdAt: realNow,
      updatedAt: realNow,
    };
    return { endpoint, secret };
  }

  private changed(endpoint: Endpoint, body: UpdateEndpointBody, realNow: Date): Endpoint {
    const { enabled = endpoint.enabled } = body;
    return {
      ...endpoint,
      url: body.url ?? endpoint.url,
      events: body.events === undefined ? endpoint.events : body.events,
      description: body.description === undefined ? endpoint.description : body.description,
      effectTracking: body.effectTracking ?? endpoint.effectTracking,
      consolidate: body.consolidate ?? endpoint.consolidate,
      headersSealed: body.headers
        ? this.vault.sealHeaders(endpoint.clientId, endpoint.id, body.headers)
        : endpoint.headersSealed,
      enabled,
      disabledReason: enabled ? null : (endpoint.disabledReason ?? 'by_request'),
      disabledAt: enabled ? null : (endpoint.disabledAt ?? realNow),
      updatedAt: realNow,
    };
  }

  private check({ url, events }: UpdateEndpointBody): void {
    if (url !== undefined) this.checkUrl('url', url);
    if (events && (events.length === 0 || new Set(events).size < events.length)) {
      const accepted = `a list of different events out of ${EVENT_TYPES.join(', ')}, or null for those on by default`;
      throw badField('events', 'invalid_field', 'is empty or names an event twice', accepted);
    }
  }

  private checkUrl(field: string, url: string): void {
    const verdict = checkUrl(url, { ports: this.config.egressPorts, allowLoopback: this.config.allowLoopback });
    if (verdict.kind === 'refused') throw badField(field, 'invalid_field', verdict.message, verdict.accepted);
  }

  private view(endpoint: Endpoint): EndpointView {
    return endpointView(endpoint, Object.keys(this.vault.open(endpoint).headers), this.clock.now());
  }
}

function rotationRunning(until: Date): DomainError {
  const end = until.toISOString();
  return conflict(
    'rotation_running',
    `The secret before this one is valid until ${end}. Rotate again after that, or send overlapHours 0 to end both now.`,
  );
}

function known(endpoint: Endpoint | null): Endpoint {
  if (!endpoint) throw unknown();
  return endpoint;
}

function unknown() {
  return notFound('There is no such webhook endpoint.');
}

function tooMany() {
  return conflict('too_many_endpoints', `A client can have up to ${ENDPOINTS_MAX} endpoints.`);
}
