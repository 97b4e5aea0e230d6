import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { composeEvent, composeTestEvent, type EventFacts } from './event-body.js';
import { EVENT_TYPES } from './event-types.js';

const failure: EventFacts = {
  id: 'evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN',
  type: 'recovery.failed',
  createdAt: new Date('2026-11-21T12:00:00.123Z'),
  sequence: 7,
  recovery: {
    id: '01KB5Z7M3QG8T2V4XW6Y9ACDEF',
    amountMinor: 2500,
    amountRequestedMinor: 2500,
    currency: 'USD',
    message: 'The card has expired.',
    strategy: 'primary',
    idempotencyKey: 'inv_42',
    reference: 'inv_42',
    customerId: 'c_9',
    trigger: 'scheduled_retry',
    gatewayTransactionToken: 'pi_3OqT',
    attemptCount: 3,
    endReason: 'hard_decline',
    round: 1,
    livemode: true,
    isSimulated: false,
    metadata: { plan: 'gold' },
  },
  advice: {
    recommendedAction: 'request_card_update',
    recommendedActionReason: 'The card can not be charged any more.',
    recommendedActionDetail: null,
    willRetry: false,
  },
  decline: { declineCode: 'expired_card', declineCategory: 'hard', networkDeclineCode: '54', networkAdviceCode: '01' },
  nextAttemptAt: null,
  openRecoveriesForCustomer: 1,
  dunningEnabled: true,
};

const textOf = (facts: EventFacts) => composeEvent(facts).body.toString('utf8');
const bodyOf = (facts: EventFacts) => JSON.parse(textOf(facts)) as Record<string, unknown>;
const withRecovery = (recovery: Partial<EventFacts['recovery']>): EventFacts => ({
  ...failure,
  recovery: { ...failure.recovery, ...recovery },
});

describe('composeEvent', () => {
  it('writes the keys of the contract in its order', () => {
    expect(textOf(failure)).toBe(
      '{"event":"recovery.failed","revtainTransactionId":"01KB5Z7M3QG8T2V4XW6Y9ACDEF","recommendedAction":"request_card_update",' +
        '"amount":2500,"currency":"USD","declineCode":"expired_card","message":"The card has expired.","strategyUsed":"primary",' +
        '"idempotencyKey":"inv_42","reference":"inv_42","customerId":"c_9","trigger":"scheduled_retry",' +
        '"gatewayTransactionToken":"pi_3OqT","recommendedActionReason":"The card can not be charged any more.","recommendedActionDetail":null,' +
        '"declineCategory":"hard","networkDeclineCode":"54","networkAdviceCode":"01","attemptCount":3,' +
        '"final":true,"willRetry":false,"endReason":"hard_decline","round":1,"amountRequested":2500,"nextAttemptAt":null,"openRecoveriesForCustomer":1,' +
        '"id":"evt_01KB5Z7M3QG8T2V4XW6Y9ACDEN","sequence":7,"createdAt":"2026-11-21T12:00:00.123Z","apiVersion":"2026-11-01","livemode":true,"isSimulated":false,"metadata":{"plan":"gold"}}',
    );
  });

  it('adds what it supersedes and its dunning step only where there is one', () => {
    expect(bodyOf(failure)).not.toHaveProperty('supersedes');
    const late = bodyOf({ ...failure, type: 'recovery.success', supersedes: 'evt_1' });
    expect(late['supersedes']).toBe('evt_1');
    const dunning = { sequenceId: 'd_1', step: 1, of: 3, tone: 'friendly' } as const;
    expect(bodyOf({ ...failure, dunning })['dunning']).toEqual(dunning);
  });

  it.each([
    ['recovery.success', null, true],
    ['recovery.failed', 'exhausted', true],
    ['recovery.cancelled', 'voided', true],
    ['recovery.holdout', 'holdout', true],
    ['recovery.blocked', 'never_charge', true],
    ['recovery.blocked', null, false], // Authentication is demanded: the recovery is still open.
    ['recovery.action_required', null, false],
    ['recovery.scheduled', null, false],
    ['recovery.attempt_failed', null, false],
    ['recovery.unknown', null, false],
  ] as const)('%s that ends by %s has final %s', (type, endReason, final) => {
    const composed = composeEvent({ ...withRecovery({ endReason }), type });
    expect(composed.final).toBe(final);
    expect(JSON.parse(composed.body.toString())).toMatchObject({ final });
  });

  it('is on by default for ends, and off for progress', () => {
    const on = EVENT_TYPES.filter((type) => composeEvent({ ...failure, type }).isDefault);
    expect(on).toEqual(['recovery.success', 'recovery.failed', 'recovery.blocked', 'recovery.holdout', 'card.updated']);
  });

  it('tells a failure only to who lists it, where dunning is off', () => {
    expect(composeEvent({ ...failure, dunningEnabled: false }).isDefault).toBe(false);
    expect(composeEvent({ ...failure, type: 'recovery.success', dunningEnabled: false }).isDefault).toBe(true);
  });

  it('leaves out customer data wherever a caller has put it', () => {
    const body = bodyOf(
      withRecovery({
        customerId: 'jane@example.com',
        idempotencyKey: 'jane@example.com-2026-11',
        reference: 'order 4242 4242 4242 4242',
        gatewayTransactionToken: 'pi_3Oq_secret_abc',
        message: 'Write to jane@example.com or see https://pay.example.com/u/tok_1 .',
        metadata: {
          mail: 'jane@example.com',
          'jane@example.com': 'x',
          tel: '+49 30 1234567',
          url: 'www.example.com/update',
          plan: 'gold',
        },
      }),
    );
    expect(body).toMatchObject({
      customerId: null,
      idempotencyKey: null,
      reference: null,
      gatewayTransactionToken: null,
      message: 'Write to [removed] or see [removed] .',
      metadata: { mail: '[removed]', tel: '[removed]', url: '[removed]', plan: 'gold' },
    });
  });

  it('keeps ordinary ids as they are', () => {
    const ids = [
      'inv_42',
      'in_1Oq2Nd',
      'ORDER-2026-000123',
      '5f0c2f0e-8a3a-4b8e-9d6c-1b2f3a4d5e6f',
      'c/9:ü',
      '4111111111111112',
    ];
    for (const id of ids) {
      expect(bodyOf(withRecovery({ idempotencyKey: id, reference: id, customerId: id }))).toMatchObject({
        idempotencyKey: id,
        reference: id,
        customerId: id,
      });
    }
  });

  it('never lets an address, a link, a card number or a secret through, whatever the facts', () => {
    const secrets = [
      ...[
        'jane.doe+x@example.com',
        'a@b',
        'https://pay.example.com/u/1',
        'HTTP://x.y/z',
        'www.example.com',
        'pi_1_secret_2',
      ],
      ...[
        '4242424242424242',
        '4242-4242-4242-4242',
        '378282246310005',
        'sk_live_abc123',
        'whsec_abc/def=',
        '+4915112345678',
      ],
    ];
    const secret = fc.constantFrom(...secrets);
    const text = fc
      .tuple(fc.string(), secret, fc.string())
      .map(([before, word, after]) => `${before} ${word} ${after}`);
    fc.assert(
      fc.property(text, text, secret, (one, other, word) => {
        const told = textOf({
          ...withRecovery({
            message: one,
            idempotencyKey: other,
            reference: word,
            customerId: one,
            gatewayTransactionToken: other,
            metadata: { note: other, word, [word]: 'x' },
          }),
          decline: { ...failure.decline, declineCode: word, networkDeclineCode: one, networkAdviceCode: other },
        });
        expect(secrets.filter((each) => told.includes(each))).toEqual([]);
      }),
    );
  });

  it('stays one line of valid JSON for any text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.dictionary(fc.string(), fc.string()), (message, metadata) => {
        const told = composeEvent(withRecovery({ message, metadata })).body.toString('utf8');
        expect(told).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}]/u);
        expect((JSON.parse(told) as { event: string }).event).toBe('recovery.failed');
      }),
    );
  });
});

describe('composeTestEvent', () => {
  it('says that it is a test', () => {
    const body = composeTestEvent({ id: 'evt_1', createdAt: new Date(0), livemode: false });
    expect(JSON.parse(body.toString())).toMatchObject({
      event: 'webhook.test',
      id: 'evt_1',
      isSimulated: true,
      final: false,
    });
  });
});
