import type { ReadFailure } from '../../gateways/gateway.js';
import type { WorkContext } from '../../engine/work-context.js';
import type { StripeBilling } from '../../gateways/stripe/billing.js';
import type { ClaimedEvent, Worked } from '../inbound-event.js';

export const STRIPE_BILLING = 'stripe-billing';

/** One turn of work on one subject. */
export interface BillingTurn {
  clientId: string;
  events: readonly ClaimedEvent[];
  context: WorkContext;
  billing: StripeBilling;
  /** How often the oldest of the events was taken up. */
  tries: number;
}

export function done(outcome: string): Worked {
  return { kind: 'done', outcome };
}

export function again(reason: string, afterMs?: number): Worked {
  return afterMs === undefined ? { kind: 'again', reason } : { kind: 'again', reason, afterMs };
}

/** A reading that told nothing: the events wait for one that does. */
export function unread(reading: ReadFailure): Worked {
  return again(reading.kind === 'account_refused' ? 'the account refuses our key' : 'the gateway is silent');
}

/** The first text of this name among the facts of the events. */
export function factOf({ events }: BillingTurn, name: string): string | null {
  const found = events.map(({ facts }) => facts[name]).find((value) => typeof value === 'string');
  return typeof found === 'string' ? found : null;
}

export function hasType({ events }: BillingTurn, ...types: string[]): boolean {
  return events.some(({ type }) => types.includes(type));
}
