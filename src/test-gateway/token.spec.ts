import { describe, expect, it } from '@jest/globals';

import { FAULTS, stepAt } from './card-script.js';
import { parseToken } from './token.js';

/** One word per step, as the table below reads best. */
function stepsOf(token: string): string[] | null {
  const script = parseToken(token);
  if (script === null) return null;
  return script.steps.map((step) => {
    switch (step.kind) {
      case 'approve':
        return step.thenDisputed ? 'approve, disputed' : 'approve';
      case 'decline':
        return `${step.decline.code}/${step.decline.declineCode ?? ''}`;
      case 'authenticate':
        return `authenticate ${step.when}`;
      case 'process':
        return `process ${step.failure?.code ?? 'succeeds'}`;
    }
  });
}

describe('a test token', () => {
  it.each([
    ['pm_card_visa', ['approve']],
    ['pm_card_createDispute', ['approve, disputed']],
    ['pm_card_visa_chargeDeclined', ['card_declined/generic_decline']],
    ['pm_card_visa_chargeDeclinedInsufficientFunds', ['card_declined/insufficient_funds']],
    ['pm_card_visa_chargeDeclinedLostCard', ['card_declined/lost_card']],
    ['pm_card_visa_chargeDeclinedStolenCard', ['card_declined/stolen_card']],
    ['pm_card_chargeDeclinedExpiredCard', ['expired_card/']],
    ['pm_card_chargeDeclinedIncorrectCvc', ['incorrect_cvc/']],
    ['pm_card_chargeDeclinedProcessingError', ['processing_error/']],
    ['pm_card_visa_chargeDeclinedVelocityLimitExceeded', ['card_declined/card_velocity_exceeded']],
    ['pm_card_authenticationRequired', ['authenticate always']],
    ['pm_card_authenticationRequiredSetupForOffSession', ['authenticate on_session']],
    ['pm_card_in', ['authenticate always']],
    ['pm_bacsDebit_insufficientFunds', ['process insufficient_funds']],
    ['pm_usBankAccount_success', ['process succeeds']],
    ['pm_test_card_declined', ['card_declined/']],
    ['pm_test_zz_9', ['card_declined/zz_9']],
    ['pm_test_expired_card', ['expired_card/']],
    ['pm_test_incorrect_zip', ['incorrect_zip/']],
    ['pm_test_incorrect_number', ['incorrect_number/']],
    ['pm_test_processing_error', ['processing_error/']],
    ['pm_test_insufficient_funds', ['card_declined/insufficient_funds']],
    ['pm_test_authentication_required', ['authenticate always']],
    [
      'pm_test_insufficient_funds_x2',
      ['card_declined/insufficient_funds', 'card_declined/insufficient_funds', 'approve'],
    ],
    ['pm_test_zz_9_x1', ['card_declined/zz_9', 'approve']],
    ['pm_test_do_not_honor_then_stolen_card', ['card_declined/do_not_honor', 'card_declined/stolen_card']],
    ['pm_test_a_x2_then_b_x1', ['card_declined/a', 'card_declined/a', 'card_declined/b', 'approve']],
    ['pm_test_processing', ['process succeeds']],
    ['pm_test_processing_then_no_account', ['process no_account', 'no_account/']],
    ['pm_test_fault_500_after_charge_then_do_not_honor', ['card_declined/do_not_honor']],
  ])('%s plays %j', (token, steps) => {
    expect(stepsOf(token)).toEqual(steps);
  });

  it.each([
    'pm_1abc',
    'pm_card_nothing',
    'pm_test_',
    'pm_test_Upper',
    'pm_test_fault_meteor',
    'pm_test_fault_reset_after_charge_maybe',
    'pm_test_a_then_',
    'pm_test_a__b',
    'pm_test_a__country_usa',
    'tok_visa',
  ])('is unknown as %s', (token) => {
    expect(parseToken(token)).toBeNull();
  });

  it.each(FAULTS)('of the fault %s goes wrong once, then charges', (fault) => {
    expect(parseToken(`pm_test_fault_${fault}`)).toMatchObject({
      fault: { fault, times: 1 },
      steps: [{ kind: 'approve' }],
    });
    expect(parseToken(`pm_test_fault_${fault}_x3`)?.fault?.times).toBe(3);
  });

  it('gives advice where its code is one, and where it is asked to', () => {
    expect(parseToken('pm_test_do_not_try_again')?.steps).toMatchObject([
      { decline: { declineCode: 'do_not_try_again', adviceCode: 'do_not_try_again' } },
    ]);
    expect(parseToken('pm_test_do_not_honor__brand_mastercard__mac_03__ndc_51')).toMatchObject({
      features: { brand: 'mastercard' },
      steps: [{ decline: { networkAdviceCode: '03', networkDeclineCode: '51', adviceCode: null } }],
    });
  });

  it('repeats its last step for ever', () => {
    const script = parseToken('pm_test_do_not_honor_then_stolen_card');
    expect(script && stepAt(script, 40)).toMatchObject({ kind: 'decline', decline: { declineCode: 'stolen_card' } });
  });
});
