import { isIP } from 'node:net';

import type { WebhookEndpointBody } from './bodies.js';
import type { Call } from './call.js';
import { ok, type Reply } from './reply.js';
import { invalidRequest } from './stripe-refusal.js';
import { STRIPE_VERSION } from './staged-writes.js';
import type { UnitOfWork } from './unit-of-work.js';

/** POST /v1/webhook_endpoints: the secret is in this answer and in no other. */
export async function createWebhookEndpoint({ uow, params }: Call): Promise<Reply> {
  const url = params.required('url');
  const enabledEvents = params.texts('enabled_events');
  const description = params.filled('description') ?? null;
  const metadata = params.metadata({});
  const connect = params.flag('connect') ?? false;
  params.ignore('api_version');
  params.refuseUnknown();
  if (enabledEvents.length === 0) {
    throw invalidRequest('Missing required param: enabled_events.', {
      code: 'parameter_missing',
      param: 'enabled_events',
    });
  }
  const secret = `whsec_${uow.newId('s').slice(2)}`;
  const body = addEndpoint(uow, { url, secret, enabledEvents, description, metadata, connect });
  await countEndpoints(uow, 1);
  return ok({ ...body, secret });
}

/** What an endpoint is made of. */
export interface NewEndpoint {
  url: string;
  secret: string;
  enabledEvents: string[];
  description: string | null;
  metadata: Record<string, string>;
  /** Hears connected accounts only, whose events this gateway does not pass on to their platform. */
  connect?: boolean;
}

/** @throws {StripeRefusal} when the address is not on this machine: a test gateway has no business elsewhere. */
export function addEndpoint(uow: UnitOfWork, made: NewEndpoint): WebhookEndpointBody {
  if (!isOnLoopback(made.url)) {
    throw invalidRequest('Invalid URL: this test gateway delivers to loopback addresses only.', {
      code: 'url_invalid',
      param: 'url',
    });
  }
  const body: WebhookEndpointBody = {
    id: uow.newId('we'),
    object: 'webhook_endpoint',
    api_version: STRIPE_VERSION,
    application: null,
    created: uow.nowSeconds,
    description: made.description,
    enabled_events: made.enabledEvents,
    livemode: false,
    metadata: made.metadata,
    status: 'enabled',
    url: made.url,
  };
  const { url, secret, connect } = made;
  const enabledEvents = connect ? [] : made.enabledEvents;
  uow.create('webhook_endpoint', body, { hidden: { url, secret, enabledEvents } });
  return body;
}

/** POST /v1/webhook_endpoints/{id}: its events, and what is written on it. The secret stays and is not shown. */
export async function updateWebhookEndpoint({ uow, params, id }: Call): Promise<Reply> {
  const stored = await uow.lock('webhook_endpoint', id);
  const { body } = stored;
  if (params.has('description')) body.description = params.filled('description') ?? null;
  body.metadata = params.metadata(body.metadata);
  if (params.has('enabled_events')) {
    body.enabled_events = params.texts('enabled_events');
    stored.hidden.enabledEvents = body.enabled_events;
  }
  params.ignore('disabled');
  params.refuseUnknown();
  uow.save(stored);
  return ok(body);
}

/** DELETE /v1/webhook_endpoints/{id} */
export async function deleteWebhookEndpoint({ uow, params, id }: Call): Promise<Reply> {
  params.refuseUnknown();
  uow.remove(await uow.lock('webhook_endpoint', id));
  await countEndpoints(uow, -1);
  return ok({ id, object: 'webhook_endpoint', deleted: true });
}

/** Kept with the account, so that a request of an account without endpoints knows at once that nobody listens. */
export async function countEndpoints(uow: UnitOfWork, by: 1 | -1): Promise<void> {
  await uow.query({
    text: 'UPDATE test_gateway.accounts SET endpoints = endpoints + $2 WHERE account_id = $1',
    values: [uow.accountId, by],
  });
}

function isOnLoopback(address: string): boolean {
  if (!URL.canParse(address)) return false;
  const { protocol, hostname, username, password } = new URL(address);
  if (!['http:', 'https:'].includes(protocol) || username !== '' || password !== '') return false;
  return hostname === 'localhost' || hostname === '[::1]' || (isIP(hostname) === 4 && hostname.startsWith('127.'));
}
