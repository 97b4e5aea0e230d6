import type Stripe from 'stripe';

import { allPages } from './pages.js';

/** What is needed of a session; a script brings its own. */
export interface RegistrationSession {
  stripe: Stripe;
  reading: () => Stripe.RequestOptions;
}

export interface EndpointWanted {
  url: string;
  clientId: string;
  events: readonly string[];
  /** Hears the accounts that are connected to the platform, in place of the platform's own. */
  connect: boolean;
  apiVersion: string;
}

export interface RegisteredEndpoint {
  id: string;
  /** Told by Stripe once, when the endpoint is made. */
  secret: string;
}

/** Marks an endpoint as ours, and whose it is. */
const OURS = 'revtainClient';

/** The endpoints at this address that were registered for this client. */
export async function findEndpoints(
  { stripe, reading }: RegistrationSession,
  url: string,
  clientId: string,
): Promise<Stripe.WebhookEndpoint[]> {
  const all = await allPages((page) => stripe.webhookEndpoints.list(page, reading()));
  return all.filter((each) => each.url === url && each.metadata[OURS] === clientId);
}

/**
 * Makes an endpoint with exactly these events, then takes away those of before: their secrets were told once, and only
 * in that order is no event missed.
 */
export async function registerEndpoint(
  session: RegistrationSession,
  { url, clientId, events, connect, apiVersion }: EndpointWanted,
): Promise<RegisteredEndpoint> {
  const { stripe, reading } = session;
  const before = await findEndpoints(session, url, clientId);
  const made = await stripe.webhookEndpoints.create(
    {
      url,
      enabled_events: events as Stripe.WebhookEndpointCreateParams.EnabledEvent[],
      api_version: apiVersion as Stripe.WebhookEndpointCreateParams.ApiVersion,
      description: 'Revtain: failed payments and what becomes of them',
      metadata: { [OURS]: clientId },
      ...(connect ? { connect: true } : {}),
    },
    reading(),
  );
  if (made.secret === undefined) throw new Error(`Stripe made ${made.id} and told no secret`);
  for (const { id } of before) await stripe.webhookEndpoints.del(id, {}, reading());
  return { id: made.id, secret: made.secret };
}
