import { describe, expect, it } from '@jest/globals';

import { decideAfterAuthenticationLook, decideAfterOutcome, type OutcomeFacts } from './decide.js';
import type { DeclineSignals, Outcome } from './facts.js';
import { DAY_MS, HOUR_MS } from './local-time.js';
import { snapshotPolicy } from './policy.js';
import { rule, type RuleName } from './rules.js';
import { defaultDeadline } from './schedule.js';
import { TABLES } from './tables.js';

const NOW = new Date('2026-06-03T09:00:00Z');
const after = (ms: number) => new Date(NOW.getTime() + ms);
const policy = snapshotPolicy({
  request: null,
  client: { policy: null, timezone: 'UTC', billingCycleDay: null },
  cardCountry: null,
});

function declined(declineCode: string, parts: Partial<DeclineSignals> = {}): Outcome {
  const none = { errorCode: null, adviceCode: null, networkDeclineCode: null, networkAdviceCode: null };
  return { kind: 'declined', signals: { ...none, declineCode, brand: 'mastercard', ...parts } };
}

function decide(outcome: Outcome, parts: Partial<OutcomeFacts> = {}) {
  return decideAfterOutcome(factsOf(outcome, parts));
}

function factsOf(outcome: Outcome, parts: Partial<OutcomeFacts> = {}): OutcomeFacts {
  const round = {
    anchorAt: NOW,
    openedAt: NOW,
    deadlineAt: defaultDeadline(NOW),
    scheduledTaken: 0,
    chargesMade: 1,
    lastAttemptAt: NOW,
  };
  const token = { fallbackLeft: false, tokenReusable: true, binPrefix: null };
  return { outcome, policy, round, now: NOW, jitter: 0, ...token, ...parts };
}

const codes = [...new Set([...TABLES.declines.values()].map((row) => row.code))];

const ruleNamed = (full: string) => {
  const [name = '', note] = full.split(':');
  return rule(name as RuleName, note);
};

const fullUntil = (freeAt: Date | null) => ({
  freeAt,
  rule: { name: 'network_limit:visa_reattempts_30d', source: 'the table' },
  fee: null,
});

describe('after a charge', () => {
  it.each(codes)('a decline with %s follows its row', (code) => {
    const row = TABLES.declines.get(`decline_code:${code}`) ?? TABLES.declines.get(`error_code:${code}`);
    const decision = decide(declined(code));
    if (row?.firstStep === 'block') expect(decision.kind).toBe('blocked');
    else if (row?.firstStep === 'authenticate') expect(decision.kind).toBe('action_required');
    else if (row?.bucket === 'configuration') expect(decision).toMatchObject({ endReason: 'configuration' });
    else if (row?.retryable === 'yes') expect(decision.kind).toBe('retry');
    else expect(decision).toMatchObject({ kind: 'failed', endReason: 'hard_decline', detail: null });
  });

  it.each([
    [{ kind: 'succeeded' }, { kind: 'succeeded' }],
    [{ kind: 'pending' }, { kind: 'await_bank', dueAt: after(DAY_MS) }],
    [{ kind: 'requires_action' }, { kind: 'action_required', dueAt: after(HOUR_MS) }],
    [{ kind: 'requires_capture' }, { kind: 'failed', endReason: 'possibly_paid', detail: 'possibly_paid' }],
    [
      { kind: 'canceled', by: 'other' },
      { kind: 'cancelled', endReason: 'voided' },
    ],
    [{ kind: 'canceled', by: 'gateway' }, { kind: 'replace_payment' }],
    [{ kind: 'canceled', by: 'us' }, { kind: 'replace_payment' }],
    [
      { kind: 'unknown', loss: 'lost_reply' },
      { kind: 'reconcile', dueAt: after(10_000) },
    ],
    [
      { kind: 'unknown', loss: 'received_5xx' },
      { kind: 'reconcile', dueAt: after(10_000) },
    ],
  ] as [Outcome, object][])('%j leads on', (outcome, expected) => expect(decide(outcome)).toMatchObject(expected));

  it.each([
    [{ kind: 'succeeded' }, 'outcome_succeeded'],
    [{ kind: 'pending' }, 'outcome_pending'],
    [{ kind: 'requires_action' }, 'outcome_requires_action'],
    [{ kind: 'requires_capture' }, 'outcome_held'],
    [{ kind: 'canceled', by: 'other' }, 'payment_canceled'],
    [{ kind: 'canceled', by: 'gateway' }, 'payment_replaced'],
    [{ kind: 'unknown', loss: 'lost_reply' }, 'outcome_unknown'],
    [declined('stolen_card'), 'listed_code:stolen_card'],
    [declined('authentication_required'), 'listed_code:authentication_required'],
    [declined('invalid_amount'), 'listed_code:invalid_amount'],
    [declined('expired_card'), 'listed_code:expired_card'],
    [declined('do_not_honor'), 'scheduled:ambiguous'],
  ] as [Outcome, string][])('%j names its rule: %s', (outcome, name) =>
    expect(decide(outcome).rule).toEqual(ruleNamed(name)),
  );

  it('names the rule of an end that no outcome speaks of by itself', () => {
    expect(decide(declined('expired_card'), { fallbackLeft: true }).rule.name).toBe('fallback_token');
    expect(decide(declined('do_not_honor'), { tokenReusable: false }).rule.name).toBe('token_not_reusable');
    expect(decide(declined('duplicate_transaction'), { similarPaymentFound: true }).rule.name).toBe('look_first');
    const late = { now: after(29 * DAY_MS) };
    expect(decide({ kind: 'requires_action' }, late).rule.name).toBe('not_authenticated');
    const looked = decideAfterAuthenticationLook(factsOf({ kind: 'requires_action' }));
    expect(looked.rule.name).toBe('outcome_requires_action');
  });

  it('reads raw codes with the network that the request’s hints tell, and debits by their type', () => {
    const raw = declined('do_not_honor', { networkDeclineCode: '43', brand: null });
    expect(decide(raw, { binPrefix: '411111' }).kind).toBe('blocked');
    expect(decide(raw).kind).toBe('retry');
    const debit = decide(declined('insufficient_funds', { brand: null }), { paymentMethodType: 'sepa_debit' });
    expect(debit.rule.name).toBe('scheduled:debit');
  });

  it('has no fallback token left to charge from the deadline on', () => {
    const { round } = factsOf(declined('expired_card'));
    const facts = { fallbackLeft: true, round: { ...round, deadlineAt: NOW } };
    expect(decide(declined('expired_card'), facts)).toMatchObject({ kind: 'failed', endReason: 'hard_decline' });
    expect(decide(declined('do_not_honor'), facts)).toMatchObject({ kind: 'failed', endReason: 'deadline' });
  });

  it('replaces a canceled payment once per recovery', () => {
    const decision = decide({ kind: 'canceled', by: 'gateway' }, { paymentReplaced: true });
    expect(decision).toMatchObject({ kind: 'cancelled', endReason: 'voided' });
  });

  it('counts looks from the loss, and readings from the beginning of the wait', () => {
    const lost = decide({ kind: 'unknown', loss: 'lost_reply' }, { lostAt: after(-20_000) });
    expect(lost).toMatchObject({ dueAt: after(40_000) });
    const pending = decide({ kind: 'pending' }, { waitingSince: after(-1.5 * DAY_MS) });
    expect(pending).toMatchObject({ dueAt: after(0.5 * DAY_MS) });
    const asked = decide({ kind: 'requires_action' }, { waitingSince: after(-73 * HOUR_MS) });
    expect(asked).toMatchObject({ dueAt: after(5 * HOUR_MS) });
  });

  it('says how many attempts remain', () => {
    expect(decide(declined('do_not_honor'))).toMatchObject({ kind: 'retry', attemptsRemaining: 3 });
  });

  it('holds a retry back for a Mastercard wait and for a full limit, the later of both', () => {
    const waiting = declined('insufficient_funds', { networkAdviceCode: '30' });
    const decision = decide(waiting, { limitsFreeAt: fullUntil(after(5 * DAY_MS)) });
    expect(decision.kind === 'retry' && decision.dueAt >= after(10 * DAY_MS)).toBe(true);
    const limited = decide(declined('processing_error'), { limitsFreeAt: fullUntil(after(5 * DAY_MS)) });
    expect(limited.kind === 'retry' && limited.dueAt >= after(5 * DAY_MS)).toBe(true);
  });

  it('names the wait or the limit that moved a retry beyond its slot', () => {
    const limit = fullUntil(after(5 * DAY_MS));
    expect(decide(declined('processing_error'), { limitsFreeAt: limit }).rule).toBe(limit.rule);
    const waiting = declined('insufficient_funds', { networkAdviceCode: '30' });
    expect(decide(waiting, { limitsFreeAt: limit }).rule.name).toBe('network_wait');
    // A limit that frees before the slot changes nothing.
    const early = fullUntil(after(HOUR_MS));
    expect(decide(declined('do_not_honor'), { limitsFreeAt: early }).rule.name).toBe('scheduled:ambiguous');
  });

  it('names the limit that leaves no time before the deadline', () => {
    const limit = fullUntil(after(29 * DAY_MS));
    const decision = decide(declined('do_not_honor'), { limitsFreeAt: limit });
    expect(decision).toEqual({ kind: 'failed', endReason: 'exhausted', detail: null, rule: limit.rule });
  });

  it('ends at a limit that never frees, or goes on with a fallback token', () => {
    const never = fullUntil(null);
    const decision = decide(declined('do_not_honor'), { limitsFreeAt: never });
    expect(decision).toEqual({ kind: 'failed', endReason: 'hard_decline', detail: null, rule: never.rule });
    expect(decide(declined('do_not_honor'), { limitsFreeAt: never, fallbackLeft: true }).kind).toBe('fallback');
    // Spent is spent, whatever the limit says: this end is held back for a late payment.
    const { round } = factsOf(declined('do_not_honor'));
    const spent = { limitsFreeAt: never, round: { ...round, chargesMade: 4, scheduledTaken: 3 } };
    expect(decide(declined('do_not_honor'), spent)).toMatchObject({ kind: 'failed', endReason: 'exhausted' });
  });

  it('repeats a gateway’s own back-off as a technical decline', () => {
    const decision = decide(declined('rate_limit'));
    expect(decision).toMatchObject({ kind: 'retry', dueAt: new Date('2026-06-04T10:00:00Z') });
  });

  it.each(['do_not_try_again', 'confirm_card_data'])('ends at once on advice %s', (adviceCode) => {
    const decision = decide(declined('insufficient_funds', { adviceCode }));
    expect(decision).toMatchObject({ kind: 'failed', endReason: 'hard_decline' });
  });

  it('says possibly paid where a look found a payment beside a duplicate', () => {
    const decision = decide(declined('duplicate_transaction'), { similarPaymentFound: true });
    expect(decision).toMatchObject({ kind: 'failed', endReason: 'possibly_paid', detail: 'possibly_paid' });
  });

  it('can not repeat a token without a customer', () => {
    const facts = { tokenReusable: false };
    const spent = { kind: 'failed', endReason: 'token_not_reusable', detail: 'token_not_reusable' };
    expect(decide(declined('insufficient_funds'), facts)).toMatchObject(spent);
    expect(decide(declined('expired_card'), facts)).toMatchObject(spent);
    expect(decide(declined('stolen_card'), facts).kind).toBe('blocked');
    expect(decide(declined('authentication_required'), facts).kind).toBe('action_required');
  });

  describe('a consented fallback token', () => {
    const facts = { fallbackLeft: true };
    const spent = { ...factsOf(declined('x')).round, chargesMade: 2, scheduledTaken: 4 };

    it('is charged after a hard decline, not after fraud, authentication or configuration', () => {
      expect(decide(declined('expired_card'), facts).kind).toBe('fallback');
      expect(decide(declined('fraudulent'), facts).kind).toBe('blocked');
      expect(decide(declined('authentication_required'), facts).kind).toBe('action_required');
      expect(decide(declined('invalid_amount'), facts)).toMatchObject({ endReason: 'configuration' });
    });

    it('comes after the retries of the first token', () => {
      expect(decide(declined('do_not_honor'), facts).kind).toBe('retry');
      expect(decide(declined('do_not_honor'), { ...facts, round: spent }).kind).toBe('fallback');
      expect(decide(declined('do_not_honor'), { ...facts, tokenReusable: false }).kind).toBe('fallback');
    });

    it('is no way past attemptsMax', () => {
      const round = { ...spent, chargesMade: 4 };
      expect(decide(declined('do_not_honor'), { ...facts, round })).toMatchObject({ endReason: 'exhausted' });
      expect(decide(declined('expired_card'), { ...facts, round })).toMatchObject({ endReason: 'hard_decline' });
    });
  });

  it('ends with the deadline where that has passed', () => {
    const now = after(29 * DAY_MS);
    expect(decide(declined('do_not_honor'), { now })).toMatchObject({ kind: 'failed', endReason: 'deadline' });
    const unauthenticated = decide(declined('authentication_required'), { now });
    expect(unauthenticated).toMatchObject({ endReason: 'not_authenticated', detail: 'authenticate' });
  });
});

describe('while the customer must authenticate', () => {
  const look = (outcome: Outcome, parts: Partial<OutcomeFacts> = {}) =>
    decideAfterAuthenticationLook(factsOf(outcome, parts));

  it.each([
    [{ kind: 'succeeded' }, 'succeeded'],
    [{ kind: 'pending' }, 'await_bank'],
    [{ kind: 'requires_capture' }, 'failed'],
    [{ kind: 'canceled', by: 'other' }, 'cancelled'],
    [{ kind: 'requires_action' }, 'action_required'],
    [declined('stolen_card'), 'action_required'], // The customer's own try with another card: not ours to judge.
    [{ kind: 'unknown', loss: 'lost_reply' }, 'action_required'],
  ] as [Outcome, string][])('%j leads to %s', (outcome, kind) => expect(look(outcome).kind).toBe(kind));

  it('ends at the deadline', () => {
    const end = look({ kind: 'requires_action' }, { now: defaultDeadline(NOW), waitingSince: NOW });
    expect(end).toMatchObject({ kind: 'failed', endReason: 'not_authenticated', detail: 'authenticate' });
    expect(look({ kind: 'succeeded' }, { now: defaultDeadline(NOW) }).kind).toBe('succeeded');
  });
});
