import type { CallOptions, InvoiceFacts, PaymentFacts, Reading } from '../gateways/gateway.js';
import type { Recovery } from './recovery.js';
import type { WorkContext } from './work-context.js';

/** Reads what this recovery charges, as it stands at the gateway now. */
export function readPaymentObject(
  recovery: Recovery,
  { gateway, account }: WorkContext,
  options: CallOptions,
): Promise<Reading<PaymentFacts | InvoiceFacts>> {
  const { paymentObjectId: id, paymentObjectKind: kind } = recovery;
  if (id === null) throw new Error(`recovery ${recovery.id} has no payment object to read`);
  return kind === 'invoice' ? gateway.readInvoice(account, id, options) : gateway.readPayment(account, id, options);
}
