import type { DebtFacts, OriginalDecision } from '../recovery/original.js';
import type { Recovery } from './recovery.js';

/** What is to be collected, as the core compares it with what the gateway holds. */
export function debtFacts(recovery: Recovery): DebtFacts {
  return {
    amountMinor: recovery.amountMinor,
    currency: recovery.currency,
    customerId: recovery.gatewayCustomerId,
    madeByUs: recovery.paymentIsOurs,
    canceledByUs: false,
    paymentReplaced: recovery.paymentReplacements > 0,
    uncollectibleAtFirst: recovery.wasUncollectible,
    checkoutOwned: false,
  };
}

/** Never a second payment beside one that can still collect. */
export function openBeside(openId: string, payableId: string): OriginalDecision {
  const message = `${openId} is still open beside ${payableId}; cancel ${openId}, or send it alone`;
  return { kind: 'refuse', code: 'original_transaction_open', message };
}
