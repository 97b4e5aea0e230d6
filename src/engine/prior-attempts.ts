import { NO_SIGNALS } from '../recovery/payment-looks.js';
import type { Recovery } from './recovery.js';

type Told = Pick<Recovery, 'originalSignals' | 'priorAttempts' | 'card'>;

/**
 * The recovery with the decline code of its newest prior attempt that names one, where neither the request nor the
 * gateway's reading of the original says how the failed charge was declined: the newest of them is the best that is
 * known of it (docs/decisions.md#first-step). Of attempts at the same instant the later in the list is the newer. Pure.
 */
export function withPriorCode<T extends Told>(recovery: T): T {
  if (recovery.originalSignals !== null) return recovery;
  const declineCode = newestCode(recovery.priorAttempts);
  if (declineCode === null) return recovery;
  return { ...recovery, originalSignals: { ...NO_SIGNALS, declineCode, brand: recovery.card?.brand ?? null } };
}

function newestCode(attempts: Told['priorAttempts']): string | null {
  const named = attempts.filter(({ declineCode }) => declineCode !== null);
  const oldestFirst = named.sort((a, b) => new Date(a.at).getTime() - new Date(b.at).getTime());
  return oldestFirst.at(-1)?.declineCode ?? null;
}
