import type { Slot } from '../support/slots.js';

/** One row of the main story: what is sent, what `/execute` answers, and how it ends. */
export interface Row {
  title: string;
  send: Record<string, unknown>;
  now: { http: number; status: string; state: string };
  /** Charges in the ledger when `/execute` has answered. */
  charged: 0 | 1;
  /** When each later charge comes, from the charge in the request (else from acceptance). */
  slots?: Slot[];
  end: {
    event: 'recovery.success' | 'recovery.failed' | 'recovery.blocked';
    advice: string;
    detail?: string;
    endReason: string | null;
    /** Charges in the ledger at the end. */
    charges: number;
    trigger?: string;
    /** Kept back for the client's thirty minutes, so that a late payment can withdraw it. */
    held?: boolean;
  };
}

export const OK = { http: 200, status: 'succeeded', state: 'succeeded' };
export const FAILED = { http: 200, status: 'failed', state: 'failed' };
export const QUEUED = { http: 202, status: 'queued', state: 'queued' };
const BLOCKED = { http: 403, status: 'blocked', state: 'blocked' };

const PAYDAY = { gapHours: 12, payday: true };
export const AMBIGUOUS: Slot[] = [2, 5, 9].map((days) => ({ days, ...PAYDAY }));
const FUNDS: Slot[] = [3, 7, 12, 18].map((days) => ({ days, ...PAYDAY }));
const LIMIT: Slot[] = [3, 8, 15, 24].map((days) => ({ days, gapHours: 12, payday: false }));
const TECHNICAL: Slot[] = [4 / 24, 1, 3].map((days) => ({ days, gapHours: 3, payday: false }));

export const ASK_FOR_CARD = 'request_card_update';
const COLLECTED = { event: 'recovery.success', advice: 'monitor', endReason: null } as const;
const SPENT = { event: 'recovery.failed', advice: ASK_FOR_CARD, endReason: 'exhausted', held: true } as const;
const HARD = { event: 'recovery.failed', advice: ASK_FOR_CARD, endReason: 'hard_decline' } as const;
const NEVER = { event: 'recovery.blocked', endReason: 'never_charge' } as const;
const MISCONFIGURED = { event: 'recovery.failed', advice: 'manual_review', endReason: 'configuration' } as const;

export const token = (paymentMethodToken: string) => ({ paymentMethodToken });
export const coded = (originalDeclineCode: string, paymentMethodToken = 'pm_card_visa') => ({
  originalDeclineCode,
  paymentMethodToken,
});

const collectedNow = (code: string | null): Row => ({
  title: `${code ?? 'no code'}, a good card`,
  send: code === null ? token('pm_card_visa') : coded(code),
  now: OK,
  charged: 1,
  end: { ...COLLECTED, charges: 1, trigger: 'initial' },
});

const spentAfterCharge = (title: string, send: Record<string, unknown>, slots: Slot[]): Row => ({
  title,
  send,
  now: QUEUED,
  charged: 1,
  slots,
  end: { ...SPENT, charges: 1 + slots.length, trigger: 'scheduled_retry' },
});

const hardAtOnce = (code: string): Row => ({
  title: `${code}: nothing is charged`,
  send: coded(code),
  now: FAILED,
  charged: 0,
  end: { ...HARD, charges: 0, trigger: 'initial' },
});

const blockedAtOnce = (code: string, advice: string): Row => ({
  title: `${code}: nothing is charged`,
  send: coded(code),
  now: BLOCKED,
  charged: 0,
  end: { ...NEVER, advice, charges: 0, trigger: 'initial' },
});

/** The main story of docs/behaviour.md, but for the rows that need a hand at the bank. */
export const ROWS: Row[] = [
  collectedNow(null),
  spentAfterCharge('no code, a card that never works', token('pm_test_do_not_honor'), AMBIGUOUS),
  {
    title: 'no code, a card that is declined as fraud',
    send: token('pm_test_fraudulent'),
    now: BLOCKED,
    charged: 1,
    end: { ...NEVER, advice: 'manual_review', charges: 1, trigger: 'initial' },
  },
  ...['fraudulent', 'fraud_suspected'].map((code) => blockedAtOnce(code, 'manual_review')),
  {
    title: 'insufficient_funds, a card that works by then',
    send: coded('insufficient_funds'),
    now: QUEUED,
    charged: 0,
    slots: FUNDS.slice(0, 1),
    end: { ...COLLECTED, charges: 1, trigger: 'scheduled_retry' },
  },
  {
    title: 'insufficient_funds, a card that works the third time',
    send: coded('insufficient_funds', 'pm_test_insufficient_funds_x2'),
    now: QUEUED,
    charged: 0,
    slots: FUNDS.slice(0, 3),
    end: { ...COLLECTED, charges: 3, trigger: 'scheduled_retry' },
  },
  {
    title: 'insufficient_funds, a card that stays empty',
    send: coded('insufficient_funds', 'pm_test_insufficient_funds'),
    now: QUEUED,
    charged: 0,
    slots: FUNDS,
    end: { ...SPENT, charges: 4, trigger: 'scheduled_retry' },
  },
  {
    title: 'card_velocity_exceeded, a card that stays over its limit',
    send: coded('card_velocity_exceeded', 'pm_test_card_velocity_exceeded'),
    now: QUEUED,
    charged: 0,
    slots: LIMIT,
    end: { ...SPENT, charges: 4, trigger: 'scheduled_retry' },
  },
  ...['do_not_honor', 'generic_decline', 'card_declined'].flatMap((code) => [
    collectedNow(code),
    spentAfterCharge(`${code}, declined again`, coded(code, `pm_test_${code}`), AMBIGUOUS),
  ]),
  spentAfterCharge('call_issuer, declined again', coded('call_issuer', 'pm_test_call_issuer'), AMBIGUOUS),
  hardAtOnce('expired_card'),
  {
    title: 'no code, an expired card',
    send: token('pm_card_chargeDeclinedExpiredCard'),
    now: FAILED,
    charged: 1,
    end: { ...HARD, charges: 1, trigger: 'initial' },
  },
  ...['incorrect_cvc', 'incorrect_number', 'invalid_account', 'card_not_supported', 'transaction_not_allowed'].map(
    hardAtOnce,
  ),
  ...['lost_card', 'stolen_card', 'pickup_card', 'restricted_card', 'lost_or_stolen_card'].map((code) =>
    blockedAtOnce(code, ASK_FOR_CARD),
  ),
  ...['revocation_of_authorization', 'revocation_of_all_authorizations', 'stop_payment_order'].map((code) =>
    blockedAtOnce(code, 'manual_review'),
  ),
  hardAtOnce('do_not_try_again'),
  {
    title: 'the advice do_not_try_again, whatever the code: nothing is charged',
    send: { ...coded('insufficient_funds'), originalAdviceCode: 'do_not_try_again' },
    now: FAILED,
    charged: 0,
    end: { ...HARD, charges: 0, trigger: 'initial' },
  },
  ...['processing_error', 'issuer_not_available', 'try_again_later'].flatMap((code) => [
    collectedNow(code),
    spentAfterCharge(`${code}, declined again`, coded(code, `pm_test_${code}`), TECHNICAL),
  ]),
  { ...collectedNow('gateway_timeout'), title: 'gateway_timeout, a good card: charged after the look' },
  {
    title: 'duplicate_transaction, and no such payment: nothing is charged',
    send: coded('duplicate_transaction'),
    now: FAILED,
    charged: 0,
    end: { ...MISCONFIGURED, charges: 0, trigger: 'initial' },
  },
  {
    title: 'invalid_amount: nothing is charged',
    send: coded('invalid_amount'),
    now: FAILED,
    charged: 0,
    end: { ...MISCONFIGURED, charges: 0, trigger: 'initial' },
  },
  spentAfterCharge('no code, a card that answers a code nobody knows', token('pm_test_zz_9'), AMBIGUOUS),
  {
    title: 'an unlisted code: queued',
    send: coded('zz_9', 'pm_test_zz_9'),
    now: QUEUED,
    charged: 0,
    slots: [2, 5, 9, 14].map((days) => ({ days, ...PAYDAY })),
    end: { ...SPENT, charges: 4, trigger: 'scheduled_retry' },
  },
  {
    title: 'a retry is answered stolen_card',
    send: token('pm_test_do_not_honor_then_stolen_card'),
    now: QUEUED,
    charged: 1,
    slots: AMBIGUOUS.slice(0, 1),
    end: { ...NEVER, advice: ASK_FOR_CARD, charges: 2, trigger: 'scheduled_retry' },
  },
  {
    title: 'the forced failure, amount 44',
    send: { amount: 44 },
    now: FAILED,
    charged: 1,
    end: { ...SPENT, held: false, charges: 1, trigger: 'initial' },
  },
];
