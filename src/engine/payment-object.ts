import type {
  CallOptions,
  ChargeFacts,
  InvoiceFacts,
  OriginalFacts,
  PaymentFacts,
  Reading,
} from '../gateways/gateway.js';
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

/** The newest charge of whatever was read; null where nothing was charged. */
export function newestChargeOf(read: OriginalFacts): ChargeFacts | null {
  switch (read.kind) {
    case 'charge':
      return read.charge;
    case 'payment':
      return read.latestCharge;
    case 'invoice':
      return read.payment?.latestCharge ?? null;
  }
}
