import Stripe from 'stripe';

/** What a restricted key must be allowed, and a reading that shows whether it may at least read. */
interface Permission {
  /** As Stripe's page for restricted keys names it. */
  resource: string;
  level: 'read' | 'write';
  why: string;
  probe: (stripe: Stripe) => Promise<unknown>;
}

const ONE = { limit: 1 };

/** Everything Revtain calls at Stripe; what it does not need, its key should not have. */
export const PERMISSIONS: readonly Permission[] = [
  {
    resource: 'Customers',
    level: 'write',
    why: 'the new card becomes the default',
    probe: (s) => s.customers.list(ONE),
  },
  { resource: 'PaymentIntents', level: 'write', why: 'charging', probe: (s) => s.paymentIntents.list(ONE) },
  { resource: 'PaymentMethods', level: 'write', why: 'reading the card', probe: (s) => s.paymentMethods.list(ONE) },
  { resource: 'Charges', level: 'read', why: 'how a charge was declined', probe: (s) => s.charges.list(ONE) },
  {
    resource: 'Disputes',
    level: 'read',
    why: 'no more charges on a disputed card',
    probe: (s) => s.disputes.list(ONE),
  },
  { resource: 'Invoices', level: 'write', why: 'paying an invoice', probe: (s) => s.invoices.list(ONE) },
  {
    resource: 'Subscriptions',
    level: 'write',
    why: 'the new card becomes the default',
    probe: (s) => s.subscriptions.list(ONE),
  },
  { resource: 'Checkout Sessions', level: 'write', why: 'card updates', probe: (s) => s.checkout.sessions.list(ONE) },
  { resource: 'SetupIntents', level: 'read', why: 'card updates', probe: (s) => s.setupIntents.list(ONE) },
  { resource: 'Mandates', level: 'read', why: 'bank debits', probe: (s) => s.mandates.retrieve('mandate_none') },
  { resource: 'Events', level: 'read', why: 'events missed in an outage', probe: (s) => s.events.list(ONE) },
  {
    resource: 'Webhook Endpoints',
    level: 'write',
    why: 'registering this server',
    probe: (s) => s.webhookEndpoints.list(ONE),
  },
];

export type Verdict = 'readable' | 'missing' | 'unknown';

/** Whether a key may read what it must. Writing is never tried: that shows with the first charge. */
export async function probe(stripe: Stripe, { probe: read }: Permission): Promise<Verdict> {
  try {
    await read(stripe);
    return 'readable';
  } catch (error) {
    if (!(error instanceof Stripe.errors.StripeError)) throw error;
    if (error.statusCode === 401) throw new KeyRefused('Stripe does not know this key', { cause: error });
    if (error.statusCode === 403) return 'missing';
    // Anything else that Stripe says of the request itself was said behind the check of the key.
    return error.statusCode !== undefined && error.statusCode < 500 ? 'readable' : 'unknown';
  }
}

/** The key itself is none. */
export class KeyRefused extends Error {}

/** The list to follow on Stripe's page for restricted keys. */
export function permissionLines(): string[] {
  const width = Math.max(...PERMISSIONS.map(({ resource }) => resource.length));
  return PERMISSIONS.map(({ resource, level, why }) => `  ${resource.padEnd(width)}  ${level.padEnd(5)}  ${why}`);
}
