import type { State } from '../../src/recovery/facts.js';
import type { JsonObject } from '../support/api.js';
import type { Bank } from '../support/bank.js';
import type { Standing } from './world.js';

/** What a merchant does once in its story, on the API or at its bank. */
export interface Act {
  when: (standing: Standing) => boolean;
  /** A call of the API on the recovery, repeated by an honest client until it is answered… */
  call?: { path: string; body?: JsonObject; keyed?: boolean };
  /** …another execute of the same debt, with these fields… */
  again?: JsonObject;
  /** …or something that happens at the gateway. */
  atBank?: (bank: Bank) => Promise<void>;
}

/** One merchant's day, told so that it can be played with any fault in the middle of it. */
export interface Story {
  name: string;
  /** The execute's own fields. */
  send: (bank: Bank) => Promise<JsonObject>;
  acts?: Act[];
  /** The first webhook is refused by the merchant's own server. */
  receiverFails?: boolean;
  /** How it may end; a fault may turn one end into another only where this says so. */
  ends: State[];
  /** Successful charges at the gateway for the debt, counted there. */
  collected: 0 | 1;
}

const sends = (fields: JsonObject) => () => Promise.resolve(fields);
const card = (paymentMethodToken: string) => sends({ paymentMethodToken });
const at = (state: State) => (standing: Standing) => standing.state === state;
const paid = { ends: ['succeeded'] as State[], collected: 1 as const };
const unpaid = (...ends: State[]) => ({ ends, collected: 0 as const });

const BY_HAND = { outcome: 'succeeded', evidence: { gatewayId: 'pi_seen', note: 'seen in the dashboard' } };

/** Between them they pass every failpoint; a test holds them to it. */
export const STORIES: readonly Story[] = [
  { name: 'paid at once', send: card('pm_card_visa'), ...paid },
  { name: 'paid at the first retry', send: card('pm_test_do_not_honor_x1'), ...paid },
  { name: 'queued, then paid', send: sends({ originalDeclineCode: 'insufficient_funds', customerId: 'c1' }), ...paid },
  { name: 'a hard decline', send: card('pm_card_chargeDeclinedExpiredCard'), ...unpaid('failed') },
  {
    name: 'never to be charged, and asked for all the same',
    send: card('pm_test_fraudulent'),
    acts: [{ when: at('blocked'), call: { path: 'retry', keyed: true } }],
    ...unpaid('blocked'),
  },
  { name: 'refused unread', send: sends({ originalDeclineCode: 'stolen_card' }), ...unpaid('blocked') },
  { name: 'the reply lost', send: card('pm_test_fault_reset_after_charge'), ...paid },
  { name: 'the request lost', send: card('pm_test_fault_reset_before_charge'), ...paid },
  { name: 'a 500 after nothing', send: card('pm_test_fault_500_before_charge'), ...paid },
  { name: 'a key refused', send: card('pm_test_fault_401_before_charge'), ...paid },
  {
    name: 'spent, and told after the hold',
    send: sends({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 1 } }),
    ...unpaid('failed'),
  },
  { name: 'an invoice', send: async (bank) => ({ invoiceId: await bank.openInvoice() }), ...paid },
  {
    name: 'the payment that failed',
    send: async (bank) => {
      const { id } = await bank.declinedPayment('pm_test_do_not_honor');
      return { originalGatewayTransactionId: id };
    },
    ...paid,
  },
  {
    name: 'perhaps paid before',
    send: async (bank) => {
      await bank.payment(); // Open, and no debt of ours.
      return { originalDeclineCode: 'gateway_timeout' };
    },
    ...paid,
  },
  {
    name: 'paid, and asked for again',
    send: card('pm_card_visa'),
    acts: [{ when: at('succeeded'), again: { paymentMethodToken: 'pm_card_visa' } }],
    ...paid,
  },
  {
    name: 'another card after a hard decline',
    send: sends({
      paymentMethodToken: 'pm_card_chargeDeclinedExpiredCard',
      fallbackPaymentMethodTokens: ['pm_card_mastercard'],
      fallbackConsent: true,
    }),
    ...paid,
  },
  {
    name: 'canceled by the gateway itself',
    send: card('pm_test_do_not_honor_x1'),
    acts: [{ when: at('queued'), atBank: expireNewest }],
    ...paid,
  },
  {
    name: 'another amount, after the end',
    send: sends({ paymentMethodToken: 'pm_test_do_not_honor', policy: { attemptsMax: 1 } }),
    acts: [{ when: at('failed'), again: { amount: 3_000, paymentMethodToken: 'pm_card_mastercard' } }],
    ...paid,
  },
  {
    name: 'settled by hand',
    send: card('pm_test_fault_reset_after_charge'),
    acts: [{ when: at('reconciling'), call: { path: 'resolve', body: BY_HAND } }],
    ...paid,
  },
  { name: 'no answer at all', send: card('pm_test_fault_timeout_after_charge'), ...paid },
  {
    name: 'another card by consent',
    send: sends({
      paymentMethodToken: 'pm_test_stolen_card_then_stolen_card',
      originalDeclineCode: 'expired_card',
      fallbackPaymentMethodTokens: ['pm_card_mastercard'],
      fallbackConsent: true,
    }),
    ...paid,
  },
  {
    name: 'cancelled by the merchant',
    send: card('pm_test_do_not_honor'),
    acts: [{ when: at('queued'), call: { path: 'cancel', body: { reason: 'abandoned' } } }],
    ...unpaid('cancelled'),
  },
  {
    name: 'retried by hand',
    send: card('pm_test_do_not_honor_x1'),
    acts: [{ when: at('queued'), call: { path: 'retry', keyed: true } }],
    ...paid,
  },
  {
    name: 'a new card after the end',
    send: sends({ originalDeclineCode: 'expired_card' }),
    acts: [
      {
        when: at('failed'),
        call: { path: 'payment-method', body: { paymentMethodToken: 'pm_card_mastercard' }, keyed: true },
      },
    ],
    ...paid,
  },
  {
    name: 'authentication, then a cancel',
    send: sends({ originalDeclineCode: 'authentication_required' }),
    acts: [{ when: at('action_required'), call: { path: 'cancel', body: { reason: 'customer_request' } } }],
    ...unpaid('cancelled'),
  },
  {
    name: 'authenticated by the customer',
    send: sends({ originalDeclineCode: 'authentication_required' }),
    acts: [{ when: at('action_required'), atBank: payNewest }],
    ...paid,
  },
  {
    name: 'another card in place of an authentication',
    send: sends({ originalDeclineCode: 'authentication_required' }),
    acts: [{ when: at('action_required'), again: { paymentMethodToken: 'pm_card_mastercard' } }],
    ...paid,
  },
  {
    name: 'authentication asked for by the charge, then a cancel',
    send: card('pm_card_authenticationRequired'),
    acts: [{ when: at('action_required'), call: { path: 'cancel', body: { reason: 'customer_request' } } }],
    ...unpaid('cancelled'),
  },
  { name: 'told at the second try', send: card('pm_card_visa'), receiverFails: true, ...paid },
  { name: 'a debit at the bank', send: card('pm_test_processing'), ...paid },
  {
    name: 'cancelled with a charge unknown',
    send: card('pm_test_fault_reset_after_charge'),
    acts: [{ when: at('reconciling'), call: { path: 'cancel', body: { reason: 'abandoned' } } }],
    ...paid,
  },
];

/** Stripe gives up on a payment that nobody confirms in time. */
async function expireNewest({ stripe, admin, accountId }: Bank): Promise<void> {
  const { data } = await stripe.paymentIntents.list({ limit: 1 });
  if (!data[0]) throw new Error('there is nothing to cancel');
  await admin.cancelByGateway(accountId, data[0].id, 'automatic');
}

/** The customer pays what waits for them, on-session. */
async function payNewest(bank: Bank): Promise<void> {
  const { data } = await bank.stripe.paymentIntents.list({ limit: 1 });
  if (!data[0]) throw new Error('there is nothing to pay');
  await bank.pay(data[0].id);
}
