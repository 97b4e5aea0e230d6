import { describe, expect, it } from '@jest/globals';

import { fc } from '../support/properties.js';
import { composeEvent, composeTestEvent, type EventFacts } from '../../src/webhooks/event-body.js';
import type { EventType } from '../../src/webhooks/event-types.js';
import { contractChecker } from '../support/contract.js';

/** Events that are about a recovery and that the engine tells, with the ends they come with. */
const TOLD: readonly [EventType, EventFacts['recovery']['endReason']][] = [
  ['recovery.success', null],
  ['recovery.failed', 'exhausted'],
  ['recovery.blocked', 'never_charge'],
  ['recovery.holdout', 'holdout'],
  ['recovery.scheduled', null],
  ['recovery.attempt_failed', null],
  ['recovery.action_required', null],
  ['recovery.unknown', null],
  ['recovery.cancelled', 'abandoned'],
];

const ASKING = new Set<EventType>(['recovery.failed', 'recovery.blocked', 'recovery.action_required']);

// What may never be told, as people write it. None of it is made by the code under test.
const digits = (count: number) => fc.stringMatching(new RegExp(`^\\d{${count}}$`));
const name = fc.stringMatching(/^[a-z][a-z0-9]{1,8}$/);
const email = fc
  .tuple(name, fc.constantFrom('.', '+', '_', ''), name, name, fc.constantFrom('com', 'de', 'co.uk'))
  .map(([first, joint, last, host, top]) => `${first}${joint}${last}@${host}.${top}`);
const international = fc
  .tuple(fc.constantFrom('+1', '+49', '+880', '+44'), digits(3), digits(7), fc.constantFrom(' ', '-', ''))
  .map(([country, area, rest, gap]) => `${country}${gap}${area}${gap}${rest}`);
const national = fc.oneof(
  fc.tuple(digits(3), digits(3), digits(4)).map(([area, one, two]) => `(${area}) ${one}-${two}`),
  fc.tuple(fc.stringMatching(/^0[1-9]\d{2}$/), digits(7)).map(([area, rest]) => `${area} ${rest}`),
);
const phone = fc.oneof(international, national);
const card = fc
  .tuple(
    fc.constantFrom(['4', 16], ['51', 16], ['2221', 16], ['34', 15], ['6011', 16], ['36', 14], ['3528', 16]),
    digits(16),
  )
  .chain(([[prefix, length], more]) => {
    const body = (String(prefix) + more).slice(0, Number(length) - 1);
    const whole = body + luhnDigit(body);
    return fc.constantFrom(whole, whole.replaceAll(/(.{4})(?=.)/g, '$1 '), whole.replaceAll(/(.{4})(?=.)/g, '$1-'));
  });
const link = fc
  .tuple(fc.constantFrom('https://', 'http://', 'HTTPS://', 'myapp://', 'www.'), name, name)
  .map(([scheme, host, path]) => `${scheme}${host}.example/${path}?token=abc`);
const secret = fc
  .tuple(fc.constantFrom('pi_', 'seti_'), name, name)
  .map(([prefix, id, rest]) => `${prefix}${id}_secret_${rest}`);
const forbidden = fc.oneof(email, phone, card, link, secret);

const around = fc.stringMatching(/^[ A-Za-z,.:;()'"-]{0,12}$/);
const text = fc
  .tuple(around, forbidden, around, forbidden)
  .map(([before, one, between, other]) => ({ words: `${before} ${one} ${between} ${other}`, told: [one, other] }));
const whole = forbidden.map((one) => ({ words: one, told: [one] }));
const anyText = fc.oneof(text, whole);

function luhnDigit(body: string): string {
  const sum = [...body].reverse().reduce((total, digit, index) => {
    const doubled = Number(digit) * (index % 2 === 0 ? 2 : 1);
    return total + (doubled > 9 ? doubled - 9 : doubled);
  }, 0);
  return String((10 - (sum % 10)) % 10);
}

/** Looks for what is forbidden with eyes of its own. */
function findings(body: string): string[] {
  const cards = [...body.matchAll(/(?:\d[ -]?){13,19}/g)]
    .map(([run]) => run.replaceAll(/\D/g, ''))
    .filter((run) => luhnDigit(run.slice(0, -1)) === run.at(-1) && /^(?:4|5[1-5]|2[2-7]|3[4-8]|6)/.test(run));
  const others = [
    /[\w.+-]+@[\w-]+\.\w+/g,
    /\+\d[\d -]{8,}\d/g,
    /\(\d{3}\) \d{3}-\d/g,
    /\b0\d{3} \d{7}\b/g,
    /\b[a-z]+:\/\/\S/gi,
    /\bwww\.\w/gi,
    /_secret_/g,
  ];
  return [...cards, ...others.flatMap((pattern) => [...body.matchAll(pattern)].map(([found]) => found))];
}

function factsOf([type, endReason]: (typeof TOLD)[number], words: readonly string[]): EventFacts {
  const [message = '', key = '', reference = '', customer = '', token = '', note = '', code = ''] = words;
  return {
    id: 'evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN',
    type,
    createdAt: new Date('2026-11-21T12:00:00.000Z'),
    sequence: 3,
    nextAttemptAt: type === 'recovery.scheduled' ? new Date('2026-11-24T08:00:00.000Z') : null,
    openRecoveriesForCustomer: 1,
    dunningEnabled: true,
    advice: {
      recommendedAction: ASKING.has(type) ? 'request_card_update' : 'monitor',
      recommendedActionReason: note,
      recommendedActionDetail: type === 'recovery.action_required' ? 'authenticate' : null,
      willRetry: type === 'recovery.scheduled',
    },
    decline: { declineCode: code, declineCategory: 'blended', networkDeclineCode: code, networkAdviceCode: code },
    recovery: {
      id: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
      ...{ amountMinor: 2_500, amountRequestedMinor: 2_500, currency: 'USD', message, strategy: 'primary' },
      ...{ idempotencyKey: key, reference, customerId: customer, gatewayTransactionToken: token },
      ...{ trigger: 'scheduled_retry', attemptCount: 4, endReason, round: 1, livemode: true, isSimulated: false },
      metadata: { note, [customer.slice(0, 40)]: 'a', plan: 'gold', tel: key },
    },
  };
}

const HEADERS = {
  'content-type': 'application/json',
  'webhook-id': 'evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN',
  'webhook-timestamp': '1795262400',
  'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  'x-revtain-signature': 'a'.repeat(64),
  'x-revtain-delivery-attempt': '1',
  'x-revtain-sequence': '1',
  'user-agent': 'Revtain-Webhooks/0.1.0',
};

describe('no outbound body tells who the customer is', () => {
  it('finds what it looks for', () => {
    fc.assert(fc.property(forbidden, (one) => findings(JSON.stringify({ one })).length > 0));
  });

  it.each(TOLD)('%s, whatever its facts were given', (type, endReason) => {
    fc.assert(
      fc.property(fc.array(anyText, { minLength: 7, maxLength: 7 }), (texts) => {
        const { body } = composeEvent(
          factsOf(
            [type, endReason],
            texts.map(({ words }) => words),
          ),
        );
        const told = body.toString('utf8');
        expect(findings(told)).toEqual([]);
        for (const one of texts.flatMap((each) => each.told)) expect(told).not.toContain(one);
        // What is left is still an event as the document describes it.
        contractChecker().checkWebhook(JSON.parse(told) as Record<string, unknown>, HEADERS);
      }),
      { numRuns: 150 },
    );
  });

  it('webhook.test', () => {
    const id = 'evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN';
    const body = composeTestEvent({ id, createdAt: new Date('2026-11-21T12:00:00Z'), livemode: true }).toString();
    expect(findings(body)).toEqual([]);
    contractChecker().checkWebhook(JSON.parse(body) as Record<string, unknown>, HEADERS);
  });
});
