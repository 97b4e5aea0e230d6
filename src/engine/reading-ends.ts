import type { Decision } from '../recovery/facts.js';
import { nextAuthenticationPollAt } from '../recovery/looks.js';
import type { OriginalDecision, ReadingTime } from '../recovery/original.js';
import { quietly, unchanged, type Change } from './change.js';
import type { Recovery } from './recovery.js';
import { decided } from './recovery-writer.js';
import { rereadAt, type WorkContext } from './work-context.js';

const READING: Decision['rule'] = { name: 'reading', source: 'docs/decisions.md: what the debt reads before a charge' };

/** What a reading that clears no charge leads to: the end, or another look. */
export function readingEnds(
  recovery: Recovery,
  decision: OriginalDecision,
  context: WorkContext,
  when: ReadingTime,
): Change {
  const now = context.now();
  const change = unchanged(recovery);
  switch (decision.kind) {
    case 'already_paid':
      return decided(change, { kind: 'succeeded', rule: READING }, 'external', context, { when });
    case 'end': {
      const { state, endReason, detail } = decision;
      const end: Decision =
        state === 'failed'
          ? { kind: 'failed', endReason, detail, rule: READING }
          : { kind: 'cancelled', endReason, rule: READING };
      return decided(change, end, recovery.nextTrigger, context, { when, endReason });
    }
    case 'refuse': {
      const { code } = decision;
      const endReason = code === 'original_transaction_open' ? code : 'configuration';
      return decided(change, { kind: 'failed', endReason, detail: code, rule: READING }, recovery.nextTrigger, context);
    }
    case 'action_required': {
      const dueAt = nextAuthenticationPollAt(now, now, recovery.deadlineAt);
      const waiting = quietly(change, {
        waitingSince: now,
        gatewayTransactionToken: decision.paymentId || recovery.gatewayTransactionToken,
      });
      return decided(waiting, { kind: 'action_required', dueAt, rule: READING }, recovery.nextTrigger, context);
    }
    default: {
      // Somebody else's charge is on its way: not unknown to us, but nothing may be charged beside it.
      const readAt = rereadAt(now, recovery.readingsFailed);
      const dueAt = readAt < recovery.deadlineAt ? readAt : recovery.deadlineAt;
      return quietly(change, { dueAt, readingsFailed: recovery.readingsFailed + 1 });
    }
  }
}

/** A request that the gateway refuses is never repeated: a person must look at it. */
export function refusedByGateway(
  recovery: Recovery,
  detail: string,
  refusal: { kind: string; status?: number; code?: string | null; param?: string | null; requestId?: string | null },
  context: WorkContext,
): Change {
  const facts = {
    transactionId: recovery.id,
    status: refusal.status ?? null,
    code: refusal.code ?? null,
    param: refusal.param ?? null,
    requestId: refusal.requestId ?? null,
  };
  const decision: Decision = { kind: 'failed', endReason: 'configuration', detail, rule: READING };
  const failed = decided(unchanged(recovery), decision, recovery.nextTrigger, context, facts);
  const dedupeKey = `configuration_error:${facts.code ?? detail}`;
  return {
    ...failed,
    alerts: [...failed.alerts, { kind: 'configuration_error', severity: 'warning', facts, dedupeKey }],
  };
}
