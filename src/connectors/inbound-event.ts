import { createHash } from 'node:crypto';

/** Ids, codes, amounts and instants that an event tells. Never a name, an address or a card number. */
export type Facts = Readonly<Record<string, string | number | boolean>>;

/** What a billing platform said, as it is kept. */
export interface InboundEvent {
  eventId: string;
  type: string;
  /** What it is about; events about one thing are worked together. */
  subject: string;
  facts: Facts;
  /** Why nothing is done about it; null for what is to be worked. */
  ignored: string | null;
}

/** An event on its way into the table. */
export interface ReceivedEvent extends InboundEvent {
  clientId: string;
  platform: string;
  receivedAt: Date;
}

/** The same for two events that say the same, whatever their ids: platforms tell one change twice now and then. */
export function saidBy({ type, facts }: Pick<InboundEvent, 'type' | 'facts'>): Buffer {
  return createHash('sha256').update(type).update('\0').update(JSON.stringify(facts)).digest();
}

/** A claimed event: to be worked under its lease. */
export interface ClaimedEvent {
  clientId: string;
  platform: string;
  eventId: string;
  type: string;
  subject: string;
  facts: Facts;
  /** Hex of `saidBy`. */
  said: string;
  /** How often it was taken up, this time included. */
  tries: number;
  leaseToken: number;
  receivedAt: Date;
}

/** What came of events that were worked together. */
export type Worked =
  | { kind: 'done'; outcome: string }
  /** Not now: the gateway is silent, or somebody else works on the same thing. */
  | { kind: 'again'; reason: string; afterMs?: number };
