import type Stripe from 'stripe';

import { STRIPE_EVENTS } from '../../src/connectors/stripe-billing/event-table.js';
import { STRIPE_API_VERSION } from '../../src/gateways/stripe/client.js';
import { findEndpoints, registerEndpoint } from '../../src/gateways/stripe/webhook-registration.js';
import { Refused } from '../listen/refused.js';
import { type Body, RevtainApi, textOf } from '../listen/revtain-api.js';
import type { Options } from './options.js';
import { PERMISSIONS, probe } from './permissions.js';

type Say = (line: string) => void;

/** Brings a client and its Stripe account to where they should be. @throws {Refused} when that can not be. */
export async function setUp(options: Options, stripe: Stripe, say: Say): Promise<void> {
  await checkKey(stripe, say);
  const api = new RevtainApi(options.api, options.apiKey);
  const connection = await api.call('GET', '/api/connectors/stripe');
  const client = readClient(connection, options.stripeKey);
  const secret = await registered(client, options, stripe, say);
  if (options.dryRun) {
    say('would store the key with the client');
    return;
  }
  const gateway = {
    provider: 'stripe',
    secretKey: options.stripeKey,
    ...(secret === null ? {} : { webhookSecret: secret }),
  };
  await api.call('PATCH', `/api/clients/${client.id}`, { gateway });
  say(`stored: ${client.id} is charged with this key${secret === null ? '' : ', and its events can be proven'}`);
}

async function checkKey(stripe: Stripe, say: Say): Promise<void> {
  const missing: string[] = [];
  for (const permission of PERMISSIONS) {
    const verdict = await probe(stripe, permission);
    say(`${verdict.padEnd(8)}  ${permission.resource} (${permission.level})`);
    if (verdict === 'missing') missing.push(`${permission.resource} (${permission.level})`);
  }
  if (missing.length > 0)
    throw new Refused(`the key lacks: ${missing.join(', ')}; --permissions prints the whole list`);
}

interface Client {
  id: string;
  url: string;
  hasSecret: boolean;
}

function readClient(connection: Body, stripeKey: string): Client {
  const webhook = connection['webhook'] as Body;
  const isLive = /^(sk|rk)_live_/.test(stripeKey);
  if (connection['provider'] !== 'stripe') throw new Refused('the client is on the test gateway: make one on stripe');
  if (connection['access'] === 'connect')
    throw new Refused('the client is connected by Stripe Connect: it needs no key');
  if (connection['livemode'] !== isLive)
    throw new Refused('the key is of the other mode (live or test) than the client');
  return {
    id: textOf(connection, 'clientId'),
    url: textOf(webhook, 'url'),
    hasSecret: webhook['secretIsSet'] === true,
  };
}

/** The endpoint as it should be; its secret, where it was made now. */
async function registered(client: Client, options: Options, stripe: Stripe, say: Say): Promise<string | null> {
  const session = { stripe, reading: () => ({}) };
  const [found] = await findEndpoints(session, client.url, client.id);
  if (found && client.hasSecret && !options.renew) {
    await bringUpToDate(found, options, stripe, say);
    return null;
  }
  say(`${options.dryRun ? 'would register' : 'registering'} ${client.url} for ${STRIPE_EVENTS.length} events`);
  if (options.dryRun) return null;
  const wanted = { url: client.url, clientId: client.id, events: STRIPE_EVENTS, connect: false };
  const made = await registerEndpoint(session, { ...wanted, apiVersion: STRIPE_API_VERSION });
  say(`registered as ${made.id}`);
  return made.secret;
}

async function bringUpToDate(
  { id, enabled_events: enabled, status }: Stripe.WebhookEndpoint,
  { dryRun }: Options,
  stripe: Stripe,
  say: Say,
): Promise<void> {
  const isRight =
    status === 'enabled' &&
    enabled.length === STRIPE_EVENTS.length &&
    STRIPE_EVENTS.every((type) => enabled.includes(type));
  if (isRight) {
    say(`${id} is registered already`);
    return;
  }
  say(`${dryRun ? 'would bring' : 'bringing'} ${id} to today's ${STRIPE_EVENTS.length} events`);
  if (!dryRun) await stripe.webhookEndpoints.update(id, { enabled_events: [...STRIPE_EVENTS], disabled: false });
}
