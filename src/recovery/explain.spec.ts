import { describe, expect, it } from '@jest/globals';

import type { DeclineSignals } from './facts.js';
import { type ExplainFacts, explainDecision } from './explain.js';
import { type PolicyRequest, snapshotPolicy } from './policy.js';
import { TABLES } from './tables.js';

const AT = new Date('2026-06-03T12:00:00Z');

function explain(signals: Partial<DeclineSignals>, parts: Partial<ExplainFacts> = {}, request: PolicyRequest = {}) {
  const none = { errorCode: null, adviceCode: null, networkDeclineCode: null, networkAdviceCode: null };
  return explainDecision({
    signals: { ...none, declineCode: null, brand: 'visa', ...signals },
    paymentMethodType: null,
    cardCountry: null,
    policy: snapshotPolicy({
      request: { timezone: 'America/New_York', ...request },
      client: { policy: null, timezone: null, billingCycleDay: null },
      cardCountry: null,
    }),
    attempts: 1,
    at: AT,
    ...parts,
  });
}

const rulesOf = (told: ReturnType<typeof explain>) => told.weighed.map((one) => one.rule);
const winnerOf = (told: ReturnType<typeof explain>) => told.weighed.filter((one) => one.won).map((one) => one.rule);

describe('an explanation', () => {
  it('tells the decision, the chain, and the instants before and after', () => {
    const told = explain({ declineCode: 'do_not_honor' }, { attempts: 2 });
    expect(told.decision).toMatchObject({ kind: 'retry', attemptsRemaining: 2 });
    expect(told.made.map((one) => one.at.toISOString())).toEqual([
      '2026-06-03T12:00:00.000Z',
      '2026-06-05T14:00:00.000Z',
    ]);
    expect(told.next.map((one) => one.at.toISOString())).toEqual([
      '2026-06-12T14:00:00.000Z',
      '2026-06-15T14:00:00.000Z',
    ]);
    expect(told.next.map((one) => one.number)).toEqual([3, 4]);
    expect(told.end).toMatchObject({ kind: 'failed', endReason: 'exhausted', rule: { name: 'attempts_spent' } });
    expect(told.advice).toMatchObject({ recommendedAction: 'retry_later', willRetry: true });
    expect(rulesOf(told)).toEqual([
      'listed_code:do_not_honor',
      'network_limit:visa_category_1',
      'network_limit:visa_reattempts_30d',
      'scheduled:ambiguous',
      'attempts_spent',
      'nothing_fits',
    ]);
    expect(winnerOf(told)).toEqual(['scheduled:ambiguous']);
    expect(told.weighed[3]?.says).toBe(
      'slots 48 h, 120 h, 216 h, 336 h from the failed charge; next slot 2026-06-08T12:00:00.000Z, ' +
        'local hour 2026-06-08T14:00:00.000Z, payday 2026-06-12T14:00:00.000Z',
    );
    expect(told.weighed[2]?.says).toBe('1 of 15: allows it');
  });

  it('places what follows a first step as the engine would: a queued charge takes a slot, one in the request takes none', () => {
    const iso = (told: ReturnType<typeof explain>) => told.next.map(({ at }) => at.toISOString().slice(0, 10));
    expect(iso(explain({ declineCode: 'insufficient_funds' }, { attempts: 0 }))).toEqual([
      '2026-06-06',
      '2026-06-12',
      '2026-06-15',
      '2026-06-21',
    ]);
    expect(iso(explain({ declineCode: 'do_not_honor' }, { attempts: 0 }))).toEqual([
      '2026-06-03',
      '2026-06-05',
      '2026-06-12',
      '2026-06-15',
    ]);
    expect(explain({ declineCode: 'duplicate_transaction' }, { attempts: 0 }).next).toEqual([]);
    expect(explain({ declineCode: 'resource_missing' }, { attempts: 0 })).toMatchObject({ readFirst: false, next: [] });
  });

  it('names the first charge’s rule, and weighs everything as at the last charge made', () => {
    const signals = { declineCode: 'insufficient_funds', brand: 'mastercard', networkAdviceCode: '24' };
    const told = explain(signals, { attempts: 3 });
    expect(told.made.map(({ number, rule }) => [number, rule])).toEqual([
      [1, 'initial'],
      [2, 'scheduled:funds'],
      [3, 'scheduled:funds'],
    ]);
    const lastMs = told.made[2]?.at.getTime() ?? 0;
    const says = told.weighed.find((one) => one.rule === 'network_wait')?.says;
    expect(says).toBe(`not before ${new Date(lastMs + 3_600_000).toISOString()} (1 h)`);
  });

  it('says what the first step is when nothing was charged yet', () => {
    const queued = explain({ declineCode: 'insufficient_funds' }, { attempts: 0 });
    expect(queued.decision).toMatchObject({ kind: 'queue' });
    expect(queued.made).toEqual([]);
    expect(queued.next).toHaveLength(4);
    expect(queued.next[0]?.at).toEqual(queued.decision.kind === 'queue' ? queued.decision.dueAt : null);
    const charged = explain({ declineCode: 'do_not_honor' }, { attempts: 0 });
    expect(charged.next[0]).toMatchObject({ at: AT, rule: 'listed_code:do_not_honor' });
    expect(charged.next).toHaveLength(4);
    expect(explain({ declineCode: 'gateway_timeout' }, { attempts: 0 }).next[0]).toMatchObject({ at: AT });
    const blocked = explain({ declineCode: 'stolen_card' }, { attempts: 0 });
    expect(blocked).toMatchObject({ decision: { kind: 'block' }, next: [], end: null });
    const india = explain({ declineCode: 'do_not_honor' }, { attempts: 0, cardCountry: 'in' });
    expect(winnerOf(india)).toEqual(['india_without_mandate']);
  });

  it.each([
    ['insufficient_funds', { recommendedAction: 'retry_later', willRetry: true, final: false }],
    ['stolen_card', { recommendedAction: 'request_card_update', willRetry: false, final: true }],
    ['fraudulent', { recommendedAction: 'manual_review', willRetry: false, final: true }],
    ['authentication_required', { recommendedAction: 'request_card_update', recommendedActionDetail: 'authenticate' }],
    ['expired_card', { recommendedAction: 'request_card_update', final: true }],
    ['invalid_amount', { recommendedAction: 'manual_review', final: true }],
  ])('gives the advice of a first step that charges nothing, after %s', (declineCode, advice) => {
    expect(explain({ declineCode }, { attempts: 0 }).advice).toMatchObject(advice);
  });

  it.each(['do_not_honor', 'gateway_timeout'])('has no advice while the charge decides, after %s', (declineCode) => {
    expect(explain({ declineCode }, { attempts: 0 }).advice).toBeNull();
  });

  it.each([
    ['api_key_expired', 'account_refused'],
    ['lock_timeout', 'call_repeated'],
    ['rate_limit', 'call_repeated'],
  ])('tells that %s is no decline: nothing was charged, and the debt waits', (declineCode, kind) => {
    const told = explain({ declineCode }, { attempts: 2 });
    expect(told.decision).toMatchObject({ kind, rule: { name: kind } });
    expect(told).toMatchObject({ made: [], next: [], end: null, readFirst: false });
    expect(told.advice).toMatchObject({ recommendedAction: 'retry_later', willRetry: true, final: false });
    expect(told.weighed[0]?.says).toMatch(/scope (account|back_off), /);
    expect(explain({ declineCode }, { attempts: 0 }).decision.rule.name).toBe(`listed_code:${declineCode}`);
  });

  it('says that a code which tells nothing about the money counts only after a reading', () => {
    const told = explain({ declineCode: 'resource_missing' });
    expect(told).toMatchObject({ readFirst: true, decision: { kind: 'failed', endReason: 'configuration' } });
    expect(told.weighed[0]?.says).toContain('scope read_first, ');
    expect(explain({ declineCode: 'do_not_honor' }).readFirst).toBe(false);
    expect(explain({ declineCode: 'do_not_honor' }).weighed[0]?.says).not.toContain('scope');
  });

  it.each([
    [
      'advice that stops',
      { declineCode: 'do_not_honor', adviceCode: 'do_not_try_again' },
      'advice_code:stripe_do_not_try_again',
    ],
    [
      'a raw code of category 1',
      { declineCode: 'do_not_honor', networkDeclineCode: '14' },
      'network_code:incorrect_number',
    ],
    ['a never-charge code', { declineCode: 'fraudulent' }, 'listed_code:fraudulent'],
    ['an unlisted code', { declineCode: 'zz_9' }, 'scheduled:unlisted'],
    ['no code', {}, 'scheduled:ambiguous'],
    [
      'a Mastercard wait',
      { declineCode: 'insufficient_funds', brand: 'mastercard', networkAdviceCode: '30' },
      'network_wait',
    ],
  ])('names what won: %s', (_, signals, winner) => expect(winnerOf(explain(signals))).toEqual([winner]));

  it('says in words what each rule weighed', () => {
    const says = (told: ReturnType<typeof explain>, name: string) =>
      told.weighed.find((one) => one.rule.startsWith(name))?.says;
    const visa = explain({ declineCode: 'do_not_honor', networkDeclineCode: '14' });
    expect(says(visa, 'listed_code')).toBe('blended, may be charged, Generic issuer refusal without a reason');
    expect(says(visa, 'network_code')).toBe('visa 14, Visa category 1: not charged');
    expect(says(visa, 'network_limit:visa_category_1')).toBe('1 of 1: never again');
    const mastercard = { declineCode: 'insufficient_funds', brand: 'mastercard', networkDeclineCode: '51' };
    const waiting = explain({ ...mastercard, networkAdviceCode: '24' });
    expect(says(waiting, 'network_code')).toBe('mastercard 51: may be charged later');
    expect(says(waiting, 'advice_code:mastercard_24')).toBe('wait: stops nothing');
    expect(says(waiting, 'network_limit:mastercard_advice_24')).toMatch(
      /^1 of 1: full until 2026-06-03T13:00:00.000Z$/,
    );
    const stopped = explain({ declineCode: 'do_not_honor', adviceCode: 'do_not_try_again' });
    expect(says(stopped, 'advice_code')).toBe('never: not charged');
    expect(says(stopped, 'scheduled')).toBeUndefined();
    expect(says(explain({ declineCode: 'zz_9' }), 'unlisted_code')).toBe('no table lists "zz_9": handled with care');
    expect(says(explain({}), 'no_code')).toBe('no code was named: as a generic decline');
    const india = explain({ declineCode: 'do_not_honor' }, { attempts: 0, cardCountry: 'IN' });
    expect(says(india, 'india_without_mandate')).toBe('the customer must authenticate');
    expect(says(explain({ declineCode: 'do_not_honor' }, { cardCountry: 'IN' }), 'india')).toBeUndefined();
    expect(says(explain({ declineCode: 'do_not_honor' }, { attempts: 0 }), 'india')).toBeUndefined();
  });

  it('says how many charges were made, how many slots there are, and when the last charge may come', () => {
    const spent = explain({ declineCode: 'do_not_honor' }, { attempts: 4 });
    const says = (name: string) => spent.weighed.find((one) => one.rule === name)?.says;
    expect(says('attempts_spent')).toBe('4 of 4 charges made');
    expect(says('nothing_fits')).toBe('the last charge an hour before 2026-07-01T12:00:00.000Z');
    expect(says('scheduled:ambiguous')).toBe('slots 48 h, 120 h, 216 h, 336 h from the failed charge');
    const patient = explain({ declineCode: 'insufficient_funds', brand: null }, { attempts: 3 }, { attemptsMax: 8 });
    const next = patient.weighed.find((one) => one.rule === 'scheduled:funds')?.says;
    expect(next).toMatch(/^slots 72 h, 168 h, 288 h, 432 h from the failed charge; next slot 2026-06-/);
    const last = explain({ declineCode: 'insufficient_funds', brand: null }, { attempts: 5 }, { attemptsMax: 8 });
    expect(last.weighed.find((one) => one.rule === 'scheduled:funds')?.says).toMatch(/; none is left$/);
  });

  it('tells a rule that no signal brought in last, as the one that decides', () => {
    const { decision, weighed } = explain({ declineCode: 'gateway_timeout' }, { attempts: 0 });
    const { name: rule, source } = decision.rule;
    expect(weighed.at(-1)).toEqual({ rule, source, says: 'decides here', won: true });
  });

  it('shows notBefore, waits, limits and blackout hours among what was weighed', () => {
    const request = {
      notBefore: new Date('2026-06-20T00:00:00Z'),
      blackoutHours: [{ from: 9, to: 12 }],
      visaReattemptsMax: 18,
    };
    const told = explain(
      { declineCode: 'insufficient_funds', brand: 'mastercard', networkAdviceCode: '28' },
      {},
      request,
    );
    expect(told.weighed.find((one) => one.rule === 'not_before')?.says).toBe('not before 2026-06-20T00:00:00.000Z');
    expect(told.weighed.find((one) => one.rule === 'network_wait')?.says).toBe(
      'not before 2026-06-09T12:00:00.000Z (144 h)',
    );
    expect(told.weighed.find((one) => one.rule === 'scheduled:funds')?.says).toContain('blackout 2026-06-');
    expect(rulesOf(told)).toContain('network_limit:mastercard_declines_24h');
    const visa = explain({ declineCode: 'do_not_honor' }, {}, request);
    expect(visa.weighed.find((one) => one.rule === 'network_limit:visa_reattempts_30d')?.says).toBe(
      '0 of 18: allows it',
    );
  });

  it('weighs the limits of the card’s own network, however its name is written', () => {
    const limits = (brand: string | null, paymentMethodType: string | null) =>
      rulesOf(explain({ declineCode: 'do_not_honor', brand }, { paymentMethodType })).filter((one) =>
        one.startsWith('network_limit'),
      );
    const visa = ['network_limit:visa_category_1', 'network_limit:visa_reattempts_30d'];
    expect(limits('visa', null)).toEqual(visa);
    expect(limits('VISA', null)).toEqual(visa);
    expect(limits('visa', 'card')).toEqual(visa);
    expect(limits(null, 'card')).toEqual([]);
  });

  it('stops a bank debit after two re-presentments', () => {
    const debit = { declineCode: 'insufficient_funds', brand: null, networkDeclineCode: 'R01' };
    const told = explain(debit, { attempts: 4, paymentMethodType: 'us_bank_account' });
    expect(told.made).toHaveLength(3);
    expect(told.decision).toMatchObject({ kind: 'failed', endReason: 'exhausted', rule: { name: 'no_slot_left' } });
    expect(told.weighed.find((one) => one.rule === 'network_limit:debit_representments')?.says).toBe(
      '2 of 2: never again',
    );
  });

  it('has exactly one winner for every code, network code and advice code, before and after charges', () => {
    const signals: Partial<DeclineSignals>[] = [
      ...[...TABLES.declines.values()].map((row) => ({ declineCode: row.code })),
      ...[...TABLES.networks.values()].map((row) => ({ networkDeclineCode: row.code, brand: row.network })),
      ...[...TABLES.advice.values()].map((row) =>
        row.network === 'stripe' ? { adviceCode: row.code } : { networkAdviceCode: row.code, brand: 'mastercard' },
      ),
    ];
    for (const one of signals) {
      for (const attempts of [0, 1, 4]) {
        const told = explain(one, { attempts });
        expect(winnerOf(told)).toEqual([told.decision.rule.name]);
        const all = [...told.made, ...told.next].map((instant) => instant.at.getTime());
        expect(all).toEqual([...all].sort((a, b) => a - b));
        expect(told.weighed.every((weighed) => weighed.says !== '' && weighed.source !== '')).toBe(true);
      }
    }
  });
});
