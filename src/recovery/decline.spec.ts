import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { declineCodeOf, finalMessage, joinSignals, PLAIN_DECLINE_TEXT, routeDecline } from './decline.js';
import type { DeclineSignals } from './facts.js';
import { rule } from './rules.js';
import { NEVER_CHARGE_CODES, TABLES } from './tables.js';

function signals(parts: Partial<DeclineSignals>): DeclineSignals {
  return {
    declineCode: null,
    errorCode: null,
    adviceCode: null,
    networkDeclineCode: null,
    networkAdviceCode: null,
    brand: null,
    ...parts,
  };
}

const rows = [...TABLES.declines.values()];

describe('routing by code', () => {
  it('has every row of the table', () => expect(rows).toHaveLength(297));

  it.each(rows)('$kind $code takes its own row', (row) => {
    const sent = row.kind === 'decline_code' ? { declineCode: row.code } : { errorCode: row.code };
    expect(routeDecline(signals(sent))).toMatchObject({
      code: row.code,
      bucket: row.bucket,
      scope: row.scope,
      firstStep: row.firstStep,
      retryable: row.retryable,
      group: row.group,
      finalAction: row.finalAction,
      recommendedAction: row.recommendedAction === 'authenticate' ? 'request_card_update' : row.recommendedAction,
      rule: rule('listed_code', row.code),
      detail: row.recommendedAction === 'authenticate' ? 'authenticate' : null,
      neverCharge: row.firstStep === 'block',
      listed: true,
      customerMessageSafe: row.customerMessageSafe,
    });
  });

  it('never charges the fraud bucket and the eight named codes, and nothing else', () => {
    const never = rows.filter((row) => routeDecline(signals({ declineCode: row.code })).neverCharge);
    expect(never.every((row) => row.bucket === 'fraud' || NEVER_CHARGE_CODES.has(row.code))).toBe(true);
    expect(never).toHaveLength(11 + 8);
  });

  it('shows the customer one text for lost, stolen, picked-up, restricted and fraudulent cards', () => {
    const codes = 'lost_card stolen_card pickup_card restricted_card fraudulent merchant_blacklist security_violation';
    const texts = `${codes} highest_risk_level rule generic_decline`
      .split(' ')
      .map((code) => routeDecline(signals({ declineCode: code })).customerMessageSafe);
    expect(new Set(texts)).toEqual(new Set([PLAIN_DECLINE_TEXT]));
  });

  it('reads the decline code before the error code', () => {
    const route = routeDecline(signals({ declineCode: 'insufficient_funds', errorCode: 'card_declined' }));
    expect(route).toMatchObject({ code: 'insufficient_funds', group: 'funds', firstStep: 'queue' });
  });

  it('reads the error code where the decline code has no row', () => {
    expect(routeDecline(signals({ declineCode: 'zz_9', errorCode: 'expired_card' }))).toMatchObject({
      code: 'expired_card',
      firstStep: 'fail',
    });
  });

  it('reads a decline code that is only an error code', () => {
    expect(routeDecline(signals({ declineCode: 'card_declined' }))).toMatchObject({ listed: true, group: 'ambiguous' });
  });

  it('does not miss a never-charge code for its spelling', () => {
    expect(routeDecline(signals({ declineCode: ' STOLEN_CARD ' })).neverCharge).toBe(true);
  });

  it.each(['zz_9', '__proto__', 'constructor', '⚡', 'decline_code:fraudulent'])('treats %s as unlisted', (code) => {
    expect(routeDecline(signals({ declineCode: code }))).toMatchObject({
      code,
      bucket: 'blended',
      scope: 'debt',
      firstStep: 'queue',
      group: 'unlisted',
      recommendedAction: 'retry_later',
      finalAction: 'request_card_update',
      neverCharge: false,
      stopsCard: false,
      listed: false,
      rule: rule('unlisted_code'),
    });
  });

  it('charges when no code is given, as after a generic decline', () => {
    expect(routeDecline(signals({}))).toMatchObject({
      code: null,
      firstStep: 'charge',
      group: 'ambiguous',
      listed: true,
      rule: rule('no_code'),
    });
  });

  it('keeps a decline code that no table knows unlisted, whatever generic error it came with', () => {
    const sent = signals({ declineCode: 'zz_9', errorCode: 'card_declined' });
    expect(routeDecline(sent)).toMatchObject({ code: 'zz_9', listed: false });
  });

  it('gives a route for any text at all', () => {
    const text = fc.option(fc.string(), { nil: null });
    const any = fc.record({
      declineCode: text,
      errorCode: text,
      adviceCode: text,
      networkDeclineCode: text,
      networkAdviceCode: text,
      brand: text,
    });
    fc.assert(
      fc.property(any, text, (sent, binPrefix) => {
        const route = routeDecline(sent, { binPrefix });
        expect(route.group === null || route.retryable === 'yes').toBe(true);
        expect(route).toEqual(routeDecline(sent, { binPrefix }));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('advice', () => {
  it.each([
    ['adviceCode', 'do_not_try_again', 'request_card_update', true],
    ['adviceCode', 'confirm_card_data', 'request_card_update', false],
    ['networkAdviceCode', '01', 'request_card_update', false],
    ['networkAdviceCode', '03', 'request_card_update', true],
    ['networkAdviceCode', '04', 'manual_review', false],
    ['networkAdviceCode', '21', 'manual_review', true],
    ['networkAdviceCode', '41', 'request_card_update', false],
  ] as const)('%s %s stops a soft decline', (field, code, finalAction, stopsCard) => {
    const route = routeDecline(signals({ declineCode: 'insufficient_funds', [field]: code, brand: 'mastercard' }));
    expect(route).toMatchObject({
      firstStep: 'fail',
      retryable: 'no',
      group: null,
      bucket: 'hard',
      finalAction,
      recommendedAction: finalAction,
      stopsCard,
      waitMs: null,
      rule: rule('advice_code', `${field === 'adviceCode' ? 'stripe' : 'mastercard'}_${code}`),
    });
    expect(route.neverCharge).toBe(false);
    expect(route.customerMessageSafe).not.toMatch(/we will try again/i);
  });

  it.each([
    ['24', 1],
    ['25', 24],
    ['26', 48],
    ['27', 96],
    ['28', 144],
    ['29', 192],
    ['30', 240],
  ])('Mastercard %s waits %i hours', (code, hours) => {
    const route = routeDecline(
      signals({ declineCode: 'insufficient_funds', networkAdviceCode: code, brand: 'mastercard' }),
    );
    expect(route).toMatchObject({ waitMs: hours * 3_600_000, firstStep: 'queue', group: 'funds' });
  });

  it.each(['02', '05', '22', '40', '42', '43', '99'])('Mastercard %s changes nothing', (code) => {
    const plain = routeDecline(signals({ declineCode: 'do_not_honor', brand: 'mastercard' }));
    const advised = signals({ declineCode: 'do_not_honor', brand: 'mastercard', networkAdviceCode: code });
    expect(routeDecline(advised)).toEqual(plain);
  });

  it('never lets an advice to try again soften a hard code', () => {
    const route = routeDecline(signals({ declineCode: 'expired_card', adviceCode: 'try_again_later' }));
    expect(route).toMatchObject({ firstStep: 'fail', group: null });
  });

  it('does not read another network’s advice as Mastercard’s', () => {
    const visa = signals({ declineCode: 'do_not_honor', networkAdviceCode: '03', brand: 'visa' });
    expect(routeDecline(visa).firstStep).toBe('charge');
  });

  it('asks for a review after Mastercard 21 even where the code blocks', () => {
    const route = routeDecline(signals({ declineCode: 'stolen_card', networkAdviceCode: '21', brand: 'mastercard' }));
    expect(route).toMatchObject({ firstStep: 'block', finalAction: 'manual_review', stopsCard: true });
  });

  it('says nothing new where the code stops already, and keeps the code’s own rule and text', () => {
    const alone = routeDecline(signals({ declineCode: 'expired_card' }));
    const advised = routeDecline(signals({ declineCode: 'expired_card', adviceCode: 'confirm_card_data' }));
    expect(advised).toEqual(alone);
    expect(alone.customerMessageSafe).toContain('expired');
  });

  it('reads Mastercard’s advice where no network is known: better one stop too many', () => {
    const route = routeDecline(signals({ declineCode: 'do_not_honor', networkAdviceCode: '03' }));
    expect(route).toMatchObject({ firstStep: 'fail', stopsCard: true });
  });

  it('turns a technical decline into a hard one as well', () => {
    const route = routeDecline(signals({ declineCode: 'processing_error', adviceCode: 'do_not_try_again' }));
    expect(route).toMatchObject({ bucket: 'hard', firstStep: 'fail' });
    expect(route.customerMessageSafe).toBe(PLAIN_DECLINE_TEXT);
  });

  it('puts authentication above a stop, and keeps the stop for the card', () => {
    const route = routeDecline(signals({ declineCode: 'authentication_required', adviceCode: 'do_not_try_again' }));
    expect(route).toMatchObject({ firstStep: 'authenticate', detail: 'authenticate', stopsCard: true });
  });

  it('stops the card after the old decline code of the same name', () => {
    expect(routeDecline(signals({ declineCode: 'do_not_try_again' }))).toMatchObject({
      firstStep: 'fail',
      stopsCard: true,
    });
  });
});

describe('network codes', () => {
  const networks = [...TABLES.networks.values()];

  it.each(networks)('$network $code is as strict as its closest code', ({ network, code, closestCode, autoRetry }) => {
    const route = routeDecline(signals({ networkDeclineCode: code, brand: network }));
    const closest = routeDecline(signals({ declineCode: closestCode, errorCode: closestCode }));
    expect(route.listed).toBe(true);
    if (autoRetry === 'yes' || closest.retryable !== 'yes') expect(route.firstStep).toBe(closest.firstStep);
    else expect(route).toMatchObject({ firstStep: 'fail', retryable: 'no', group: null });
  });

  it.each(networks.filter((row) => row.visaCategory === 1))('Visa category 1 code $code stops the card', ({ code }) => {
    const route = routeDecline(signals({ declineCode: 'do_not_honor', networkDeclineCode: code, brand: 'visa' }));
    expect(route.stopsCard).toBe(true);
    expect(['fail', 'block']).toContain(route.firstStep);
  });

  it('lets the stricter of decline code and network code win', () => {
    const route = routeDecline(signals({ declineCode: 'do_not_honor', networkDeclineCode: '43', brand: 'visa' }));
    expect(route).toMatchObject({ code: 'stolen_card', neverCharge: true, rule: rule('network_code', 'stolen_card') });
    const mastercard = signals({ declineCode: 'do_not_honor', networkDeclineCode: '54', brand: 'mastercard' });
    expect(routeDecline(mastercard)).toMatchObject({ code: 'expired_card', stopsCard: false });
    expect(routeDecline(mastercard).customerMessageSafe).toContain('expired');
  });

  it('names the row that a raw code stands for', () => {
    const route = routeDecline(signals({ networkDeclineCode: '51', brand: 'visa' }));
    expect(route.rule).toEqual(rule('network_code', 'insufficient_funds'));
  });

  it('keeps the decline code where the network code is no stricter', () => {
    const route = routeDecline(signals({ declineCode: 'expired_card', networkDeclineCode: '51', brand: 'visa' }));
    expect(route).toMatchObject({ code: 'expired_card', firstStep: 'fail' });
    // As strict as each other: the gateway's own word stays.
    const equal = signals({ declineCode: 'incorrect_cvc', networkDeclineCode: '54', brand: 'visa' });
    expect(routeDecline(equal)).toMatchObject({ code: 'incorrect_cvc', rule: rule('listed_code', 'incorrect_cvc') });
  });

  it('keeps the stop of a decline code that a stricter network code replaces', () => {
    const sent = signals({ declineCode: 'do_not_try_again', networkDeclineCode: '43', brand: 'mastercard' });
    expect(routeDecline(sent)).toMatchObject({ code: 'stolen_card', neverCharge: true, stopsCard: true });
  });

  it('gives a single digit its leading zero back', () => {
    expect(routeDecline(signals({ networkDeclineCode: '5', brand: 'visa' })).code).toBe('do_not_honor');
    const advised = signals({ declineCode: 'do_not_honor', networkAdviceCode: '3', brand: 'mastercard' });
    expect(routeDecline(advised)).toMatchObject({ firstStep: 'fail', stopsCard: true });
  });

  it('reads a raw code that was sent as the decline code', () => {
    const route = routeDecline(signals({ declineCode: '51' }), { binPrefix: '411111' });
    expect(route).toMatchObject({ code: 'insufficient_funds', group: 'funds', listed: true });
  });

  it.each([
    ['411111', 'visa'],
    ['41111111', 'visa'],
    ['510000', 'mastercard'],
    ['559999', 'mastercard'],
    ['222100', 'mastercard'],
    ['272099', 'mastercard'],
    ['340000', 'amex'],
    ['378282', 'amex'],
  ])('knows prefix %s as %s', (binPrefix, brand) => {
    const code = brand === 'amex' ? '911' : '91';
    expect(routeDecline(signals({ networkDeclineCode: code }), { binPrefix }).code).toBe('issuer_not_available');
  });

  it.each([
    '509999',
    '560000',
    '222099',
    '272100',
    '330000',
    '350000',
    '601100',
    '41111',
    '411111111',
    'x411111',
    null,
  ])('knows no network by prefix %s', (binPrefix) => {
    for (const networkDeclineCode of ['91', '911']) {
      expect(routeDecline(signals({ networkDeclineCode }), { binPrefix })).toMatchObject({ listed: false });
    }
  });

  it('reads the network of a bank debit from its type', () => {
    const sent = signals({ networkDeclineCode: 'AM04' });
    expect(routeDecline(sent, { paymentMethodType: 'sepa_debit' })).toMatchObject({ listed: true, group: 'debit' });
    expect(routeDecline(sent, { paymentMethodType: 'card' })).toMatchObject({ listed: false });
  });

  it('does not guess the network of a raw code', () => {
    expect(routeDecline(signals({ networkDeclineCode: '43' }))).toMatchObject({ listed: false, firstStep: 'queue' });
  });

  it('reads Mastercard 83 and all Amex codes only for lack of a decline code', () => {
    const beside = signals({ declineCode: 'do_not_honor', networkDeclineCode: '83', brand: 'mastercard' });
    expect(routeDecline(beside)).toMatchObject({ code: 'do_not_honor', firstStep: 'charge' });
    expect(routeDecline(signals({ networkDeclineCode: '83', brand: 'mastercard' })).firstStep).toBe('block');
    const amex = signals({ declineCode: 'do_not_honor', networkDeclineCode: '101', brand: 'amex' });
    expect(routeDecline(amex).firstStep).toBe('charge');
  });

  it('asks for a review where the network says that the merchant is at fault', () => {
    expect(routeDecline(signals({ networkDeclineCode: '109', brand: 'amex' })).finalAction).toBe('manual_review');
  });

  it('never runs a bank debit on a card’s schedule', () => {
    const route = routeDecline(signals({ declineCode: 'insufficient_funds' }), { paymentMethodType: 'sepa_debit' });
    expect(route.group).toBe('debit');
    expect(routeDecline(signals({ declineCode: 'insufficient_funds', brand: 'bacs_debit' })).group).toBe('debit');
    expect(routeDecline(signals({ networkDeclineCode: 'R02', brand: 'us_bank_account' })).group).toBeNull();
  });
});

describe('refused by the gateway itself', () => {
  it('does not repeat a generic decline that never reached the network', () => {
    const route = routeDecline(signals({ declineCode: 'generic_decline', blockedByGateway: true }));
    expect(route).toMatchObject({ firstStep: 'fail', bucket: 'hard', group: null, finalAction: 'request_card_update' });
    expect(route.rule).toEqual(rule('blocked_by_gateway'));
    const hard = signals({ declineCode: 'expired_card', blockedByGateway: true });
    expect(routeDecline(hard)).toMatchObject({ firstStep: 'fail', rule: rule('listed_code', 'expired_card') });
    const reached = signals({ declineCode: 'generic_decline', blockedByGateway: false });
    expect(routeDecline(reached).firstStep).toBe('charge');
  });

  it('keeps the stricter row of a named reason', () => {
    const route = routeDecline(signals({ declineCode: 'highest_risk_level', blockedByGateway: true }));
    expect(route).toMatchObject({ firstStep: 'block', bucket: 'fraud' });
  });
});

describe('the code that is printed', () => {
  it.each([
    [{ declineCode: 'do_not_honor', errorCode: 'card_declined' }, 'do_not_honor'],
    [{ errorCode: 'expired_card' }, 'expired_card'],
    [{ networkDeclineCode: '51', brand: 'visa' }, 'insufficient_funds'],
    [{ networkDeclineCode: 'QQ', brand: 'visa' }, 'QQ'],
    [{}, null],
  ])('of %j is %s', (parts, expected) => expect(declineCodeOf(signals(parts))).toBe(expected));

  it('drops the promise to try again from a final text', () => {
    const { customerMessageSafe } = routeDecline(signals({ declineCode: 'insufficient_funds' }));
    expect(finalMessage(customerMessageSafe)).toBe(PLAIN_DECLINE_TEXT);
    expect(rows.map((row) => finalMessage(row.customerMessageSafe)).join()).not.toMatch(/will try again/i);
  });
});

describe('what the merchant said and what the gateway reads, as one', () => {
  const all = {
    declineCode: 'insufficient_funds',
    errorCode: 'card_declined',
    adviceCode: 'try_again_later',
    networkDeclineCode: '51',
    networkAdviceCode: '02',
    brand: 'visa',
  };

  it('is the one where the other is silent', () => {
    const said = signals({ declineCode: 'do_not_honor' });
    expect(joinSignals(said, null, {})).toBe(said);
    expect(joinSignals(null, said, {})).toBe(said);
    expect(joinSignals(null, null, {})).toBeNull();
  });

  it.each(Object.keys(all) as (keyof typeof all)[])(
    'takes %s from the reading where the merchant left it open',
    (key) => {
      expect(joinSignals({ ...all, [key]: null }, all, {})).toEqual(all);
    },
  );

  it('keeps the merchant’s word where the reading is no stricter', () => {
    const said = { ...signals({ declineCode: 'processing_error', networkAdviceCode: '24' }), brand: 'mastercard' };
    const joined = joinSignals(said, all, {});
    expect(joined).toEqual({
      ...all,
      ...{ declineCode: 'processing_error', networkAdviceCode: '24', brand: 'mastercard' },
    });
    // As strict as each other.
    const expired = signals({ declineCode: 'expired_card' });
    expect(joinSignals(expired, signals({ declineCode: 'incorrect_cvc' }), {})?.declineCode).toBe('expired_card');
  });

  it('takes the reading’s word where it alone asks for a stricter step', () => {
    const said = { ...signals({ declineCode: 'do_not_honor', networkDeclineCode: '05' }), brand: 'visa' };
    const read = signals({ declineCode: 'stolen_card' });
    expect(joinSignals(said, read, {})).toEqual({ ...read, brand: 'visa' });
  });

  it('takes the reading’s word where it alone stops the card', () => {
    const said = signals({ declineCode: 'expired_card', adviceCode: 'confirm_card_data' });
    const read = signals({ declineCode: 'expired_card', adviceCode: 'do_not_try_again' });
    expect(joinSignals(said, read, {})).toEqual(read);
    const stopped = signals({ declineCode: 'do_not_try_again' });
    expect(joinSignals(stopped, read, {})?.declineCode).toBe('do_not_try_again');
  });

  it('keeps that the gateway itself refused, if the reading tells', () => {
    const said = signals({ declineCode: 'do_not_honor' });
    expect(joinSignals(said, { ...all, blockedByGateway: false }, {})).toMatchObject({ blockedByGateway: false });
    expect(joinSignals(said, all, {})).not.toHaveProperty('blockedByGateway');
  });
});
