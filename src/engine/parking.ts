import { step, unchanged, type Change } from './change.js';
import type { Recovery } from './recovery.js';
import { afterMs, type WorkContext } from './work-context.js';

/** So many workers in a row have died or failed with this work in hand. */
export const CRASHES_MAX = 5;
/** Parked work is tried again this much later: what was wrong may have been mended. */
const PARKED_MS = 3_600_000;

const RULE = { name: 'work_parked', source: `docs/operating.md: after ${CRASHES_MAX} failures in a row` };

/** True for work that no worker could finish: it must not take one down with it for ever, nor a place in the window. */
export function isPoison(recovery: Recovery): boolean {
  return recovery.crashCount >= CRASHES_MAX;
}

/** Puts work off for an hour, visibly: its state stays, its next look is set, and an operator is told. Pure. */
export function parked(recovery: Recovery, context: WorkContext): Change {
  const now = context.now();
  const dueAt = afterMs(now, PARKED_MS);
  const inputs = { failures: recovery.crashCount, dueKind: recovery.dueKind };
  const noted = step(unchanged(recovery), { dueAt }, { type: 'parked', rule: RULE, at: now, actor: 'engine', inputs });
  const facts = { transactionId: recovery.id, state: recovery.state, failures: recovery.crashCount };
  const alert = { kind: 'work_parked' as const, severity: 'critical' as const, facts };
  return { ...noted, alerts: [{ ...alert, dedupeKey: `work_parked:${recovery.id}` }] };
}
