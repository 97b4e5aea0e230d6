import { ReadOnlyGateway } from '../gateways/read-only-gateway.js';
import { decideAfterOutcome } from '../recovery/decide.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { quietly, step, unchanged, type Change } from './change.js';
import type { ChargeClearance } from './debt-reader.js';
import { roundFactsOf, type Recovery } from './recovery.js';
import { decided } from './recovery-writer.js';
import { hintsOf } from './transition.js';
import { afterMs, type WorkContext } from './work-context.js';

const HOUR_MS = 3_600_000;
/** Mode `fill` charges only where no attempt of the platform's is nearer than this. */
const FILL_GAP_MS = 24 * HOUR_MS;
/** In any mode the platform's own attempt goes first when it is this near: one payer at a time. */
const NEAR_MS = HOUR_MS;
/** The platform's attempt is through by then, or was never made. */
const AFTER_ATTEMPT_MS = HOUR_MS;

const RULE = 'docs/connectors.md#modes';

/** True for a debt that a billing platform reported, of a client that lets us look and advise only. */
export function isObserved(recovery: Recovery, { client }: Pick<WorkContext, 'client'>): boolean {
  return recovery.hints.platform !== undefined && client.mode === 'observe';
}

/** In mode `observe` the gateway of a reported debt can not be made to change anything, whatever is asked of it. */
export function boundToMode(recovery: Recovery, context: WorkContext): WorkContext {
  if (!isObserved(recovery, context) || context.gateway instanceof ReadOnlyGateway) return context;
  return { ...context, gateway: new ReadOnlyGateway(context.gateway) };
}

/**
 * Who charges: what follows instead of a charge of ours that is due, where the platform goes first or is only watched.
 * Null where the charge is ours to make. `jitter` in [0, 1). Pure.
 */
export function platformsTurn(
  { recovery, nextAttemptAt = null }: ChargeClearance,
  jitter: number,
  context: WorkContext,
): Change | null {
  if (recovery.hints.platform === undefined) return null;
  if (isObserved(recovery, context)) return observed(recovery, jitter, context);
  if (nextAttemptAt === null) return null;
  const now = context.now();
  const aheadMs = nextAttemptAt.getTime() - now.getTime();
  const nearMs = context.client.mode === 'fill' ? FILL_GAP_MS : NEAR_MS;
  if (aheadMs > nearMs || aheadMs < -AFTER_ATTEMPT_MS) return null;
  const after = afterMs(nextAttemptAt, AFTER_ATTEMPT_MS);
  const dueAt = after < recovery.deadlineAt ? after : recovery.deadlineAt;
  const inputs = { nextAttemptAt: nextAttemptAt.toISOString(), mode: context.client.mode };
  const rule = { name: 'platform_goes_first', source: RULE };
  const noted = { type: 'platform_goes_first', rule, at: now, actor: 'engine', inputs };
  return step(unchanged(recovery), { dueAt }, noted);
}

/** A slot of the schedule passes without a charge; when all have passed, the customer has to be asked. */
function observed(recovery: Recovery, jitter: number, context: WorkContext): Change {
  const passed: Recovery = {
    ...recovery,
    chargesMade: recovery.chargesMade + 1,
    scheduledTaken: recovery.scheduledTaken + (recovery.nextTrigger === 'scheduled_retry' ? 1 : 0),
  };
  const decision = decideAfterOutcome({
    outcome: { kind: 'declined', signals: recovery.lastSignals ?? recovery.originalSignals ?? NO_SIGNALS },
    policy: recovery.policy,
    round: roundFactsOf(passed),
    now: context.now(),
    jitter,
    fallbackLeft: false,
    tokenReusable: true,
    ...hintsOf(recovery),
  });
  const change = decided(unchanged(passed), decision, recovery.nextTrigger, context, { mode: 'observe' });
  // Nothing of ours was applied: it was looked at.
  return quietly(change, { engineApplied: recovery.engineApplied });
}
