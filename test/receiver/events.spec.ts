import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';

import { RECOMMENDED_ACTIONS, type EventHead, type RecoveryFields } from '../../packages/receiver/src/event-fields.js';
import { EVENT_NAMES, isEventName, isKnownEvent } from '../../packages/receiver/src/events.js';
import { parseEvent } from '../../packages/receiver/src/parse-event.js';
import { EVENT_TYPES } from '../../src/webhooks/event-types.js';

interface Schema {
  enum?: string[];
  required?: string[];
}
interface Document {
  webhooks: Record<
    string,
    { post: { requestBody: { content: Record<string, { examples: Record<string, { value: object }> }> } } }
  >;
  components: { schemas: Record<string, Schema> };
}

const openapi = parse(readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8')) as Document;
const schema = (name: string) => openapi.components.schemas[name] ?? {};

// Checked by the compiler to hold every field of the type, and no other.
const HEAD: Record<keyof EventHead, true> = {
  message: true,
  id: true,
  createdAt: true,
  apiVersion: true,
  livemode: true,
  isSimulated: true,
};
const RECOVERY: Record<Exclude<keyof RecoveryFields, keyof EventHead>, true> = {
  revtainTransactionId: true,
  recommendedAction: true,
  amount: true,
  currency: true,
  declineCode: true,
  strategyUsed: true,
  idempotencyKey: true,
  reference: true,
  customerId: true,
  trigger: true,
  gatewayTransactionToken: true,
  recommendedActionReason: true,
  recommendedActionDetail: true,
  declineCategory: true,
  networkDeclineCode: true,
  networkAdviceCode: true,
  attemptCount: true,
  final: true,
  willRetry: true,
  endReason: true,
  round: true,
  amountRequested: true,
  nextAttemptAt: true,
  openRecoveriesForCustomer: true,
  sequence: true,
  metadata: true,
};

const sorted = (names: readonly string[] | undefined) => [...(names ?? [])].sort();

describe('the types of events', () => {
  it('are of the events that the contract and the product name', () => {
    expect(sorted(EVENT_NAMES)).toEqual(sorted(schema('EventName').enum));
    expect(sorted(EVENT_NAMES)).toEqual(sorted(EVENT_TYPES));
  });

  it('have the fields that the contract promises', () => {
    expect(sorted(['event', ...Object.keys(HEAD)])).toEqual(sorted(schema('EventHeadFields').required));
    expect(sorted(Object.keys(RECOVERY))).toEqual(sorted(schema('RecoveryEventFields').required));
  });

  it('know every recommended action', () => {
    expect(sorted(RECOMMENDED_ACTIONS)).toEqual(sorted(schema('RecommendedAction').enum));
  });

  const examples = Object.entries(openapi.webhooks).flatMap(([name, { post }]) =>
    Object.values(post.requestBody.content).flatMap(({ examples: all }) =>
      Object.entries(all).map(([example, { value }]) => [name, example, value] as const),
    ),
  );
  it.each(examples)('reads the documented %s, example %s', (name, _example, value) => {
    const parsed = parseEvent(JSON.stringify(value));
    expect(parsed).toEqual({ kind: 'event', event: value, body: value });
    expect(parsed.kind === 'event' && isKnownEvent(parsed.event) && parsed.event.event).toBe(name);
  });
});

describe('parseEvent', () => {
  it('reads an action of a later version as one for a person, and keeps the word that came', () => {
    const parsed = parseEvent('{"event":"recovery.failed","id":"evt_1","recommendedAction":"call_the_bank"}');
    expect(parsed).toMatchObject({
      event: { recommendedAction: 'manual_review' },
      body: { recommendedAction: 'call_the_bank' },
    });
  });

  it.each([
    '',
    'no JSON',
    '[]',
    'null',
    '"text"',
    '{}',
    '{"event":"x"}',
    '{"event":1,"id":"evt_1"}',
    '{"event":"x","id":""}',
  ])('calls %p malformed', (text) => {
    expect(parseEvent(text).kind).toBe('malformed');
  });

  it('takes no name that every object has for an event', () => {
    expect(['constructor', '__proto__', 'toString', 'otherwise'].filter(isEventName)).toEqual([]);
  });
});
