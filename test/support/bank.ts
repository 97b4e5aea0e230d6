import type Stripe from 'stripe';

import type { TestGatewayAdmin } from '../../src/test-gateway/admin.js';

/** One account of the test gateway: its SDK as the merchant's own backend would use it, and the hand behind the bank. */
export class Bank {
  constructor(
    readonly accountId: string,
    readonly stripe: Stripe,
    readonly admin: TestGatewayAdmin,
    /** The customer to whom every raw test token of the account belongs. */
    readonly cardholder: string,
  ) {}

  /** A payment as a merchant's own charge leaves it: of the amount that the tests execute, open unless confirmed. */
  payment(params: Partial<Stripe.PaymentIntentCreateParams> = {}): Promise<Stripe.PaymentIntent> {
    return this.stripe.paymentIntents.create({
      amount: 2_500,
      currency: 'usd',
      customer: this.cardholder,
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
      ...params,
    });
  }

  /** The merchant's own charge, declined: what a recovery usually begins with. */
  async declinedPayment(
    token = 'pm_test_insufficient_funds',
    params: Partial<Stripe.PaymentIntentCreateParams> = {},
  ): Promise<Stripe.PaymentIntent> {
    const made = await this.payment(params);
    const refused = await this.stripe.paymentIntents.confirm(made.id, { payment_method: token }).then(
      () => false,
      () => true,
    );
    if (!refused) throw new Error(`${token} was not declined`);
    return this.stripe.paymentIntents.retrieve(made.id);
  }

  read(paymentId: string): Promise<Stripe.PaymentIntent> {
    return this.stripe.paymentIntents.retrieve(paymentId);
  }

  async draftInvoice(amount = 2_500): Promise<string> {
    const { invoices, invoiceItems } = this.stripe;
    const { id } = await invoices.create({ customer: this.cardholder, auto_advance: false });
    await invoiceItems.create({ customer: this.cardholder, invoice: id, amount, currency: 'usd' });
    return id;
  }

  async openInvoice(amount = 2_500): Promise<string> {
    const { id } = await this.stripe.invoices.finalizeInvoice(await this.draftInvoice(amount));
    return id;
  }

  readInvoice(invoiceId: string): Promise<Stripe.Invoice> {
    return this.stripe.invoices.retrieve(invoiceId);
  }

  /** The PaymentIntent that an invoice is paid by. */
  async paymentOf(invoiceId: string): Promise<string> {
    const { data } = await this.stripe.invoicePayments.list({ invoice: invoiceId });
    const paid = data[0]?.payment.payment_intent;
    if (!paid) throw new Error(`${invoiceId} has no payment`);
    return typeof paid === 'string' ? paid : paid.id;
  }

  /** The customer pays by themselves, with this token. */
  async pay(paymentId: string, token = 'pm_card_visa'): Promise<void> {
    await this.stripe.paymentIntents.confirm(paymentId, { payment_method: token });
  }
}
