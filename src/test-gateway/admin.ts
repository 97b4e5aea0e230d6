import type { Pool } from 'pg';

import type { Clock } from '../platform/clock.js';
import type { Random } from '../platform/random.js';
import { inAccount } from './account-work.js';
import { customerBody } from './customers.js';
import { openDispute } from './disputes.js';
import type { GatewayParts } from './execution.js';
import { setTotal } from './invoice-body.js';
import { readLedger, type LedgerEntry } from './ledger.js';
import {
  billSubscription,
  endMandate,
  giveUpSubscription,
  type NewSubscription,
  openSubscription,
  retryInvoice,
} from './billing.js';
import { cancelPayment } from './payment-intents.js';
import { replaceCard } from './payment-methods.js';
import { hashOfKey, newSecretKey } from './secret-key.js';
import { settleDue } from './settle-due.js';
import { authenticatePayment, settlePayment } from './settlement.js';
import { cardholderId } from './stripe-ids.js';
import { addEndpoint, countEndpoints } from './webhook-endpoints.js';

/** What the bank says of a debit that nobody named a code for. */
const BANK_FAILURE_DEFAULT = 'insufficient_funds';

/**
 * What no merchant could do over Stripe's protocol: open accounts, move their clock, read the ledger, and play the
 * bank, the customer and the card network. Every call works on the database, so any process may make it.
 */
export class TestGatewayAdmin {
  private readonly parts: GatewayParts;

  constructor(
    private readonly pool: Pool,
    private readonly clock: Clock,
    private readonly random: Random,
    publicUrl = 'http://127.0.0.1',
  ) {
    this.parts = { pool, clock, random, publicUrl };
  }

  /**
   * Opens an account, or finds it, and gives it one more secret key: only hashes are kept, so an earlier key can not be
   * shown again, and goes on working. A webhook address that it has already is not added twice.
   */
  async createAccount(
    accountId: string,
    webhook: { webhookUrl?: string; webhookSecret?: string } = {},
  ): Promise<{ secretKey: string }> {
    const secretKey = newSecretKey(this.random);
    const now = this.clock.now();
    await this.pool.query(
      'INSERT INTO test_gateway.accounts (account_id, created_at) VALUES ($1, $2) ON CONFLICT DO NOTHING',
      [accountId, now],
    );
    await this.openCardholder(accountId);
    await this.pool.query(
      'INSERT INTO test_gateway.secret_keys (key_hash, account_id, created_at) VALUES ($1, $2, $3)',
      [hashOfKey(secretKey), accountId, now],
    );
    if (webhook.webhookUrl !== undefined) await this.addWebhook(accountId, webhook.webhookUrl, webhook.webhookSecret);
    return { secretKey };
  }

  /**
   * Sets how far the account's clock is ahead of real time, in milliseconds, and where it stands still until then.
   * Debits that fall due end at once.
   */
  async setClock(
    accountId: string,
    offsetMs: number,
    standing: { at: Date; until: Date } | null = null,
  ): Promise<void> {
    const text = `UPDATE test_gateway.accounts SET clock_offset_ms = $2, clock_frozen_at = $3, clock_frozen_until = $4
      WHERE account_id = $1`;
    const values = [accountId, Math.round(offsetMs), standing?.at ?? null, standing?.until ?? null];
    const moved = await this.pool.query(text, values);
    if (moved.rowCount !== 1) throw new Error(`The test gateway has no account ${accountId}.`);
    await settleDue(this.parts, accountId);
  }

  /** Moves the account's clock on by so many milliseconds. */
  async moveClock(accountId: string, byMs: number): Promise<void> {
    const text = 'SELECT clock_offset_ms FROM test_gateway.accounts WHERE account_id = $1';
    const found = await this.pool.query<{ clock_offset_ms: string }>(text, [accountId]);
    await this.setClock(accountId, Number(found.rows[0]?.clock_offset_ms ?? 0) + byMs);
  }

  /** Every charge made for the account, oldest first. */
  ledger(accountId: string): Promise<LedgerEntry[]> {
    return readLedger(this.pool, accountId);
  }

  /** The bank's word on a debit that is `processing`, before its time. */
  async settlePending(
    accountId: string,
    paymentIntentId: string,
    outcome: 'succeeded' | 'failed',
    failureCode = BANK_FAILURE_DEFAULT,
  ): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      const payment = await uow.lock('payment_intent', paymentIntentId);
      await settlePayment(uow, payment, outcome === 'succeeded' ? null : failureCode);
    });
  }

  /** The customer's answer to a payment that is `requires_action`. Resolves to the payment's status afterwards. */
  async authenticate(
    accountId: string,
    paymentIntentId: string,
    answer: 'authenticated' | 'refused' = 'authenticated',
  ): Promise<string> {
    return inAccount(this.parts, accountId, async (uow) => {
      const payment = await uow.lock('payment_intent', paymentIntentId);
      await authenticatePayment(uow, payment, answer);
      return payment.body.status;
    });
  }

  /** An account updater's work: a new number and a later expiry behind the same id; `behavesAs` names its new script. */
  async replaceCard(accountId: string, paymentMethodId: string, behavesAs?: string): Promise<void> {
    await inAccount(this.parts, accountId, (uow) => replaceCard(uow, paymentMethodId, behavesAs));
  }

  /** The customer's bank takes a payment's latest charge back. */
  async dispute(accountId: string, paymentIntentId: string): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      const payment = await uow.lock('payment_intent', paymentIntentId);
      openDispute(uow, await uow.lock('charge', payment.body.latest_charge ?? '', 'payment_intent'));
    });
  }

  /** Opens a subscription; nothing is billed yet. Resolves to its id and its customer. */
  async openSubscription(accountId: string, wanted: NewSubscription): Promise<{ id: string; customer: string }> {
    return inAccount(this.parts, accountId, (uow) => Promise.resolve(openSubscription(uow, wanted)));
  }

  /** Stripe bills one period of a subscription and charges it. Resolves to the invoice's id. */
  async billSubscription(
    accountId: string,
    subscriptionId: string,
    reason: 'subscription_cycle' | 'subscription_create' = 'subscription_cycle',
  ): Promise<string> {
    return inAccount(this.parts, accountId, (uow) => billSubscription(uow, subscriptionId, reason));
  }

  /** Stripe's own retry of an open invoice. */
  async retryInvoice(accountId: string, invoiceId: string): Promise<void> {
    await inAccount(this.parts, accountId, (uow) => retryInvoice(uow, invoiceId));
  }

  /** Stripe ends a subscription that was not paid. */
  async giveUpSubscription(accountId: string, subscriptionId: string): Promise<void> {
    await inAccount(this.parts, accountId, (uow) => giveUpSubscription(uow, subscriptionId));
  }

  /** The customer takes back the consent to a debit. Resolves to the mandate's id. */
  async endMandate(accountId: string, paymentMethodId: string): Promise<string> {
    return inAccount(this.parts, accountId, (uow) => Promise.resolve(endMandate(uow, paymentMethodId)));
  }

  /** Stripe itself cancels an open payment, as it does with those that nobody confirms in time. */
  async cancelByGateway(accountId: string, paymentIntentId: string, reason: 'automatic' | 'expired'): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      await cancelPayment(uow, await uow.lock('payment_intent', paymentIntentId), reason);
    });
  }

  /** Changes what an open invoice asks for, as a credit note does, and its payment with it. Minor units. */
  async changeInvoiceAmount(accountId: string, invoiceId: string, amountMinor: number): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      const invoice = await uow.lock('invoice', invoiceId);
      setTotal(invoice.body, amountMinor);
      uow.save(invoice);
      for (const part of await uow.below('invoice_payment', invoiceId)) {
        const payment = await uow.lock('payment_intent', part.body.payment.payment_intent);
        payment.body.amount = amountMinor;
        part.body.amount_requested = amountMinor;
        uow.save(payment);
        uow.save(part);
      }
      uow.emit('invoice.updated', invoice.body);
    });
  }

  /** Puts an open Checkout Session over a payment: from then on the payment is that page's to confirm. */
  async ownByCheckoutSession(accountId: string, paymentIntentId: string): Promise<string> {
    return inAccount(this.parts, accountId, async (uow) => {
      const { body } = await uow.lock('payment_intent', paymentIntentId);
      const id = uow.newId('cs_test');
      const { customer } = body;
      const rest = { created: uow.nowSeconds, livemode: false, mode: 'payment', status: 'open' } as const;
      const session = { id, object: 'checkout.session', customer, payment_intent: body.id, ...rest } as const;
      uow.create('checkout.session', session, { relatedId: body.id });
      return id;
    });
  }

  private async openCardholder(accountId: string): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      const id = cardholderId(accountId);
      if (await uow.find('customer', id)) return;
      const description = 'Holder of every raw test token of this account';
      uow.create('customer', { ...customerBody(id, uow.nowSeconds), description });
    });
  }

  private async addWebhook(accountId: string, url: string, givenSecret: string | undefined): Promise<void> {
    await inAccount(this.parts, accountId, async (uow) => {
      const known = await uow.query({
        text: `SELECT 1 FROM test_gateway.objects
          WHERE account_id = $1 AND kind = 'webhook_endpoint' AND hidden->>'url' = $2`,
        values: [accountId, url],
      });
      if (known.rowCount !== 0) return;
      const secret = givenSecret ?? `whsec_${uow.newId('s').slice(2)}`;
      addEndpoint(uow, { url, secret, enabledEvents: ['*'], description: null, metadata: {} });
      await countEndpoints(uow, 1);
    });
  }
}
