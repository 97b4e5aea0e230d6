import type { AccountRefused, OriginalReading, Reading } from '../gateways/gateway.js';
import { decideOriginal, type OriginalDecision, type ReadingTime } from '../recovery/original.js';
import { debtFacts, openBeside } from './debt-facts.js';
import { callOptions } from './debt-reader.js';
import type { Sibling } from './earlier-recoveries.js';
import type { Recovery } from './recovery.js';
import type { WorkContext } from './work-context.js';

export type SiblingsRead =
  | { kind: 'silent' }
  | { kind: 'account'; refusal: AccountRefused }
  /** One of them speaks for the debt: paid, at the bank, held, taken back, or open and not ours to cancel. */
  | { kind: 'decided'; decision: OriginalDecision }
  /** None of them can collect any more, but for one of ours that is cancelled before the first charge. */
  | { kind: 'clear'; recovery: Recovery };

/**
 * Reads what earlier recoveries of the debt charged or named beside what this one is about to charge: the customer may
 * have paid it since, and open it could be paid as well.
 */
export async function readSiblings(
  recovery: Recovery,
  siblings: readonly Sibling[],
  context: WorkContext,
  when: ReadingTime,
): Promise<SiblingsRead> {
  let left = recovery;
  for (const sibling of siblings) {
    const reading = await context.gateway.readOriginal(context.account, sibling.id, callOptions(context));
    if (reading.kind === 'unavailable') return { kind: 'silent' };
    if (reading.kind === 'account_refused') return { kind: 'account', refusal: reading };
    const said = wordOf(reading, sibling, left, when);
    if (said === 'nothing') continue;
    if (said !== 'cancel') return { kind: 'decided', decision: said };
    left = { ...left, paymentToCancel: sibling.id };
  }
  return { kind: 'clear', recovery: left };
}

function wordOf(
  reading: Exclude<Reading<OriginalReading>, { kind: 'unavailable' | 'account_refused' }>,
  { id, isOurs }: Sibling,
  recovery: Recovery,
  when: ReadingTime,
): OriginalDecision | 'nothing' | 'cancel' {
  if (reading.kind !== 'found') return 'nothing'; // What the gateway does not know can not collect.
  const { original, checkoutOwned } = reading.value;
  // It belongs to what this one charges.
  if (original.kind === 'invoice' && original.id === recovery.invoiceId) return 'nothing';
  const decision = decideOriginal(original, { ...debtFacts(recovery), madeByUs: isOurs, checkoutOwned }, 'acceptance');
  switch (decision.kind) {
    case 'already_paid':
    case 'wait':
      return decision;
    case 'end': // Void or canceled it can not collect; held, refunded or disputed a person decides.
      return decision.endReason === 'voided' ? 'nothing' : decision;
    case 'create_new':
      return 'nothing';
    case 'refuse':
      return decision.code === 'invoice_not_open' ? 'nothing' : standing(id, recovery, when);
    default:
      // One payment of ours can be cancelled for each recovery; a second one is for a person to cancel.
      return isOurs && recovery.paymentToCancel === null ? 'cancel' : standing(id, recovery, when);
  }
}

/** Open, and not to be cancelled by us: it could be paid beside what this recovery charges. */
function standing(id: string, recovery: Recovery, when: ReadingTime): OriginalDecision {
  const refusal = openBeside(id, recovery.invoiceId ?? recovery.paymentObjectId ?? 'a new payment');
  if (when === 'acceptance' || refusal.kind !== 'refuse') return refusal;
  return { kind: 'end', state: 'failed', endReason: 'original_transaction_open', detail: 'original_transaction_open' };
}
