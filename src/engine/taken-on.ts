import type { AccountRefused } from '../gateways/gateway.js';
import { decideOriginal, type OriginalDecision, type ReadingTime } from '../recovery/original.js';
import { debtFacts } from './debt-facts.js';
import { callOptions } from './debt-reader.js';
import type { Recovery } from './recovery.js';
import type { WorkContext } from './work-context.js';

export type TakenOn =
  | { kind: 'silent' }
  | { kind: 'account'; refusal: AccountRefused }
  | { kind: 'read'; recovery: Recovery; decision: OriginalDecision };

/**
 * Reads the payment that an earlier recovery of the debt left, before this one goes on with it: paid since, nothing is
 * charged; canceled before this recovery began, a new one is made; what the customer must confirm stays theirs.
 */
export async function readTakenOn(
  recovery: Recovery,
  paymentId: string,
  context: WorkContext,
  when: ReadingTime,
): Promise<TakenOn> {
  const reading = await context.gateway.readPayment(context.account, paymentId, callOptions(context));
  switch (reading.kind) {
    case 'unavailable':
    case 'rejected':
      return { kind: 'silent' };
    case 'account_refused':
      return { kind: 'account', refusal: reading };
    case 'not_found':
      return { kind: 'read', recovery: withoutPayment(recovery), decision: { kind: 'create_new' } };
    case 'found': {
      const decision = decideOriginal(reading.value, debtFacts(recovery), when);
      if (decision.kind === 'create_new') return { kind: 'read', recovery: withoutPayment(recovery), decision };
      if (decision.kind !== 'cancel_then_create') return { kind: 'read', recovery, decision };
      const replaced = { ...withoutPayment(recovery), paymentToCancel: paymentId };
      return { kind: 'read', recovery: replaced, decision: { kind: 'create_new' } };
    }
  }
}

function withoutPayment(recovery: Recovery): Recovery {
  return { ...recovery, paymentObjectId: null, paymentObjectKind: null, paymentIsOurs: false, paymentReturnUrl: false };
}
