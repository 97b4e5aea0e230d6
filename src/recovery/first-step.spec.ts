import { describe, expect, it } from '@jest/globals';

import { decideFirstStep, type FirstStepFacts, stateAfterFirstStep } from './first-step.js';
import type { DeclineSignals } from './facts.js';
import { HOUR_MS } from './local-time.js';
import { snapshotPolicy } from './policy.js';
import { defaultDeadline } from './schedule.js';
import { TABLES } from './tables.js';

const NOW = new Date('2026-06-03T12:00:00Z');
const hours = (count: number) => new Date(NOW.getTime() + count * HOUR_MS);
const policy = snapshotPolicy({
  request: null,
  client: { policy: null, timezone: 'UTC', billingCycleDay: null },
  cardCountry: null,
});

function signals(parts: Partial<DeclineSignals>): DeclineSignals {
  const none = { declineCode: null, errorCode: null, adviceCode: null, networkDeclineCode: null };
  return { ...none, networkAdviceCode: null, brand: 'mastercard', ...parts };
}

/** A request that names `declineCode`; `failedAt` is the anchor too, as acceptance sets it. */
function decide(declineCode: string | null, parts: Partial<FirstStepFacts> = {}) {
  const failedAt = parts.failedAt ?? null;
  return decideFirstStep({
    signals: declineCode === null ? null : signals({ declineCode }),
    binPrefix: null,
    paymentMethodType: 'card',
    cardCountry: 'US',
    cardOrigin: null,
    cardChangedSince: false,
    hasFallback: false,
    tokenReusable: true,
    lookFoundNone: false,
    now: NOW,
    policy,
    round: {
      anchorAt: failedAt ?? NOW,
      openedAt: NOW,
      deadlineAt: defaultDeadline(NOW),
      scheduledTaken: 0,
      chargesMade: 0,
      lastAttemptAt: failedAt,
    },
    limitsFreeAt: null,
    jitter: 0,
    ...parts,
    failedAt,
  });
}

const fullUntil = (freeAt: Date | null) => ({
  freeAt,
  rule: { name: 'network_limit:visa_reattempts_30d', source: 'the table' },
  fee: null,
});

describe('the first step', () => {
  const expected = {
    charge: 'charge',
    queue: 'queue',
    look_then_charge: 'look',
    look_then_fail: 'look',
    fail: 'fail',
    authenticate: 'authenticate',
    block: 'block',
  } as const;
  const codes = [...new Set([...TABLES.declines.values()].map((row) => row.code))];

  it.each(codes)('after %s is its row’s', (code) => {
    const row = TABLES.declines.get(`decline_code:${code}`) ?? TABLES.declines.get(`error_code:${code}`);
    const decision = decide(code);
    expect(decision.kind).toBe(row && expected[row.firstStep]);
    expect(decision.route?.code).toBe(code);
    expect(decision.rule.source).not.toBe('');
    const endReason = row?.bucket === 'configuration' ? 'configuration' : 'hard_decline';
    if (decision.kind === 'fail') expect(decision).toMatchObject({ endReason, detail: null });
  });

  it('charges when no code is given', () => {
    expect(decide(null)).toMatchObject({ kind: 'charge', token: 'primary', route: null });
  });

  const own = (parts: Partial<typeof policy>) => ({ policy: { ...policy, ...parts } });
  it.each([
    [null, {}, 'charge', 'no_code'],
    ['do_not_honor', {}, 'charge', 'listed_code:do_not_honor'],
    ['insufficient_funds', {}, 'queue', 'listed_code:insufficient_funds'],
    ['gateway_timeout', {}, 'look', 'look_first:gateway_timeout'],
    ['gateway_timeout', { lookFoundNone: true }, 'charge', 'listed_code:gateway_timeout'],
    ['duplicate_transaction', {}, 'look', 'look_first:duplicate_transaction'],
    ['duplicate_transaction', { lookFoundNone: true }, 'fail', 'listed_code:duplicate_transaction'],
    ['stolen_card', {}, 'block', 'listed_code:stolen_card'],
    ['authentication_required', {}, 'authenticate', 'listed_code:authentication_required'],
    ['expired_card', {}, 'fail', 'listed_code:expired_card'],
    ['expired_card', { cardChangedSince: true }, 'charge', 'card_changed'],
    ['expired_card', { hasFallback: true }, 'charge', 'fallback_token'],
    ['expired_card', { hasFallback: true, ...own({ notBefore: hours(5) }) }, 'queue', 'not_before'],
    ['expired_card', { hasFallback: true, ...own({ notBefore: NOW }) }, 'charge', 'fallback_token'],
    ['expired_card', { hasFallback: true, ...own({ notBefore: hours(-5) }) }, 'charge', 'fallback_token'],
    ['do_not_honor', { cardCountry: 'in' }, 'authenticate', 'india_without_mandate'],
    ['do_not_honor', { cardCountry: null }, 'charge', 'listed_code:do_not_honor'],
    ['do_not_honor', { tokenReusable: false }, 'charge', 'token_not_reusable'],
    ['insufficient_funds', { tokenReusable: false }, 'charge', 'token_not_reusable'],
    ['do_not_honor', own({ firstCharge: 'now' }), 'charge', 'first_charge_now'],
    ['insufficient_funds', own({ firstCharge: 'now' }), 'charge', 'first_charge_now'],
    ['do_not_honor', own({ firstCharge: 'scheduled' }), 'queue', 'first_charge_scheduled'],
    ['do_not_honor', own({ notBefore: NOW }), 'charge', 'listed_code:do_not_honor'],
    // Held back, and so queued; but the slot of two days comes later still, and nothing moved it.
    ['do_not_honor', own({ notBefore: hours(5) }), 'queue', 'not_before'],
    [
      'do_not_honor',
      { signals: signals({ declineCode: 'do_not_honor', networkAdviceCode: '24' }) },
      'queue',
      'network_wait',
    ],
    [
      'do_not_honor',
      { signals: signals({ declineCode: 'do_not_honor', networkAdviceCode: '24' }), failedAt: hours(-49) },
      'charge',
      'listed_code:do_not_honor',
    ],
  ] as [string | null, Partial<FirstStepFacts>, string, string][])(
    'after %s with %j is %s, by %s',
    (code, parts, kind, name) => {
      const decision = decide(code, parts);
      expect({ kind: decision.kind, name: decision.rule.name }).toEqual({ kind, name });
      expect(decision.rule.source).toEqual(expect.any(String));
    },
  );

  it('waits no longer than to the millisecond at which a wait ends', () => {
    const sent = { signals: signals({ declineCode: 'processing_error', networkAdviceCode: '26' }) };
    expect(decide('processing_error', { ...sent, failedAt: hours(-48) }).kind).toBe('charge');
    const early = new Date(hours(-48).getTime() + 1);
    expect(decide('processing_error', { ...sent, failedAt: early }).kind).toBe('queue');
  });

  it.each([
    ['charge', 'do_not_honor', null],
    ['look', 'gateway_timeout', null],
    ['queue', 'insufficient_funds', { state: 'queued', endReason: null, detail: null }],
    ['fail', 'expired_card', { state: 'failed', endReason: 'hard_decline', detail: null }],
    ['authenticate', 'authentication_required', { state: 'action_required', endReason: null, detail: null }],
    ['block', 'stolen_card', { state: 'blocked', endReason: 'never_charge', detail: null }],
  ])('%s leaves the recovery where it stands', (kind, code, state) => {
    const decision = decide(code);
    expect(decision.kind).toBe(kind);
    expect(stateAfterFirstStep(decision)).toEqual(state);
  });

  it('queues what no table lists', () => {
    expect(decide('zz_9')).toMatchObject({ kind: 'queue', rule: { name: 'unlisted_code' } });
  });

  it.each([
    ['do_not_honor', -1, 'queue'],
    ['do_not_honor', -49, 'charge'],
    ['processing_error', -1, 'queue'],
    ['processing_error', -5, 'charge'],
    [null, -1, 'queue'],
  ])('after %s that failed %i hours ago is %s', (code, ago, kind) => {
    expect(decide(code, { failedAt: hours(ago) }).kind).toBe(kind);
  });

  it('queues a fresh decline to the schedule’s first slot, counted from the failed charge', () => {
    const decision = decide('do_not_honor', { failedAt: hours(-1) });
    // 48 h after 11:00 on Wednesday is Friday 11:00: the next morning is Saturday's, and stays there.
    expect(decision).toMatchObject({ kind: 'queue', dueAt: new Date('2026-06-06T10:00:00Z') });
    expect(decision.rule.name).toBe('first_slot_ahead');
  });

  it('ends at once where a queue has nothing left that fits', () => {
    const late = { ...policy, notBefore: hours(27 * 24 + 23.5) };
    expect(decide('insufficient_funds', { policy: late })).toMatchObject({ kind: 'fail', endReason: 'exhausted' });
  });

  it.each([
    ['do_not_honor', {}],
    [null, {}],
    ['insufficient_funds', {}],
    ['gateway_timeout', { lookFoundNone: true }],
    ['expired_card', { hasFallback: true }],
    ['expired_card', { cardChangedSince: true }],
    ['do_not_honor', { tokenReusable: false }],
  ])('after %s charges nothing from the deadline on: %j', (code, parts) => {
    const round = (deadlineAt: Date) => ({
      anchorAt: NOW,
      openedAt: NOW,
      deadlineAt,
      scheduledTaken: 0,
      chargesMade: 0,
      lastAttemptAt: null,
    });
    const over = decide(code, { ...parts, round: round(NOW) });
    expect(over).toMatchObject({ kind: 'fail', endReason: 'deadline', rule: { name: 'deadline_passed' } });
    const before = decide(code, { ...parts, round: round(hours(0.001)) });
    expect(before).not.toMatchObject({ endReason: 'deadline' });
  });

  describe('policy.firstCharge', () => {
    const now = { ...policy, firstCharge: 'now' as const };
    const scheduled = { ...policy, firstCharge: 'scheduled' as const };

    it.each([
      ['insufficient_funds', now, 'charge'],
      ['zz_9', now, 'charge'],
      ['do_not_honor', scheduled, 'queue'],
      [null, scheduled, 'queue'],
      ['expired_card', now, 'fail'],
      ['stolen_card', now, 'block'],
      ['authentication_required', now, 'authenticate'],
      ['gateway_timeout', now, 'look'],
      ['gateway_timeout', scheduled, 'look'],
    ])('after %s moves only between charge and queue', (code, own, kind) => {
      expect(decide(code, { policy: own }).kind).toBe(kind);
    });

    it('now charges a fresh decline as well', () => {
      expect(decide('do_not_honor', { policy: now, failedAt: hours(-1) }).kind).toBe('charge');
    });
  });

  describe('what turns a charge into a queue', () => {
    it.each([
      ['notBefore', { policy: { ...policy, notBefore: hours(100) } }, hours(100), 'not_before'],
      ['a full network limit', { limitsFreeAt: fullUntil(hours(90)) }, hours(90), 'network_limit:visa_reattempts_30d'],
      [
        'a Mastercard wait',
        { signals: signals({ declineCode: 'do_not_honor', networkAdviceCode: '28' }) },
        hours(144),
        'network_wait',
      ],
    ])('%s does', (_, parts, earliestAt, name) => {
      const decision = decide('do_not_honor', parts);
      expect(decision).toMatchObject({ kind: 'queue', token: 'primary', rule: { name } });
      if (decision.kind === 'queue') expect(decision.dueAt.getTime()).toBeGreaterThanOrEqual(earliestAt.getTime());
    });

    it('holds what has passed for nothing', () => {
      const past = { policy: { ...policy, notBefore: hours(-1) }, limitsFreeAt: fullUntil(NOW) };
      expect(decide('do_not_honor', past).kind).toBe('charge');
      const waited = {
        signals: signals({ declineCode: 'do_not_honor', networkAdviceCode: '24' }),
        failedAt: hours(-50),
      };
      expect(decide('do_not_honor', waited).kind).toBe('charge');
    });

    it('never charges a card that a limit stops for good, but a consented fallback token', () => {
      const never = { limitsFreeAt: fullUntil(null) };
      for (const code of ['do_not_honor', 'insufficient_funds']) {
        expect(decide(code, never)).toMatchObject({
          kind: 'fail',
          endReason: 'hard_decline',
          rule: never.limitsFreeAt.rule,
        });
        expect(decide(code, { ...never, hasFallback: true })).toMatchObject({ kind: 'charge', token: 'fallback' });
      }
    });

    it('binds firstCharge now as well', () => {
      const own = { ...policy, firstCharge: 'now' as const, notBefore: hours(10) };
      expect(decide('insufficient_funds', { policy: own }).kind).toBe('queue');
    });
  });

  describe('a step that fails', () => {
    it.each(['expired_card', 'do_not_try_again', 'incorrect_cvc'])('after %s charges a card that changed', (code) => {
      expect(decide(code, { cardChangedSince: true })).toMatchObject({
        kind: 'charge',
        rule: { name: 'card_changed' },
      });
    });

    it('holds a card that changed to nothing that was said about the old one', () => {
      const sent = signals({ declineCode: 'do_not_honor', networkAdviceCode: '30' });
      const facts = { cardChangedSince: true, failedAt: hours(-1), signals: sent };
      expect(decide('do_not_honor', facts)).toMatchObject({ kind: 'charge', token: 'primary' });
    });

    it('charges a consented fallback token in its place', () => {
      expect(decide('expired_card', { hasFallback: true })).toMatchObject({ kind: 'charge', token: 'fallback' });
      const own = { ...policy, notBefore: hours(5) };
      const queued = decide('expired_card', { hasFallback: true, policy: own });
      expect(queued).toMatchObject({ kind: 'queue', token: 'fallback', dueAt: hours(5) });
    });

    it.each(['fraudulent', 'stolen_card', 'revocation_of_authorization'])('but no fallback after %s', (code) => {
      expect(decide(code, { hasFallback: true, cardChangedSince: true }).kind).toBe('block');
    });

    it.each(['invalid_amount', 'payment_disputed', 'zz'])(
      'and no other card where the card is not the matter: %s',
      (code) => {
        const kind = code === 'zz' ? 'queue' : 'fail';
        expect(decide(code, { hasFallback: true, cardChangedSince: true }).kind).toBe(kind);
      },
    );
  });

  it('charges a token without a customer in the request, unless the step fails, authenticates or blocks', () => {
    const kinds = [
      'insufficient_funds',
      'zz_9',
      'do_not_honor',
      'expired_card',
      'stolen_card',
      'authentication_required',
    ];
    expect(kinds.map((code) => decide(code, { tokenReusable: false, failedAt: hours(-1) }).kind)).toEqual([
      'charge',
      'charge',
      'charge',
      'fail',
      'block',
      'authenticate',
    ]);
  });

  it.each([
    ['do_not_honor', 'IN', null, 'authenticate'],
    ['insufficient_funds', null, 'in', 'authenticate'],
    [null, 'IN', null, 'authenticate'],
    ['do_not_honor', 'US', 'IN', 'charge'],
    ['expired_card', 'IN', null, 'fail'],
    ['stolen_card', 'IN', null, 'block'],
  ])('after %s on a card of %s (merchant says %s) is %s', (code, cardCountry, cardOrigin, kind) => {
    expect(decide(code, { cardCountry, cardOrigin }).kind).toBe(kind);
  });

  it.each([
    ['gateway_timeout', 'charge'],
    ['duplicate_transaction', 'fail'],
  ])('after %s looks first, and then does %s', (code, then) => {
    expect(decide(code)).toMatchObject({ kind: 'look', then });
    expect(decide(code, { lookFoundNone: true }).kind).toBe(then);
  });

  it('lets the strictest of all signals win', () => {
    const sent = signals({ declineCode: 'do_not_honor', networkAdviceCode: '03' });
    expect(decide('do_not_honor', { signals: sent }).kind).toBe('fail');
  });
});
