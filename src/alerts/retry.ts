/** What one try to send a message came to. Texts name a status or a code, never an address. */
export type SendResult =
  | { kind: 'sent' }
  /** Worth another try; `afterMs` is what the receiver asked for. */
  | { kind: 'try_again'; error: string; afterMs: number | null }
  /** Another try would be refused as well, until somebody mends a setting. */
  | { kind: 'refused'; error: string }
  /** The number has answered STOP: nothing may be sent there any more. */
  | { kind: 'stopped'; error: string };

export type Verdict = { kind: 'sent' } | { kind: 'retry'; nextTryAt: Date } | { kind: 'failed' } | { kind: 'stopped' };

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Pauses after the first, second … failed try, while another channel stands ready to take over. */
const PAUSES_MS: readonly number[] = [10 * SECOND, MINUTE, 5 * MINUTE];
/** Where none does, the message is all there is: it goes on for a day, in which somebody may mend what refuses it. */
const LONG_PAUSES_MS: readonly number[] = [...PAUSES_MS, 15 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 8 * HOUR];
const ASKED_MAX_MS = HOUR;

/**
 * Decides what follows one try. @param tries made so far, this one included
 * @param hasNext whether somebody else is told, or another channel can take over
 */
export function judgeSend(result: SendResult, tries: number, hasNext: boolean, now: Date): Verdict {
  if (result.kind === 'sent') return { kind: 'sent' };
  if (result.kind === 'stopped') return { kind: 'stopped' };
  const pauseMs = (hasNext ? PAUSES_MS : LONG_PAUSES_MS)[tries - 1];
  if (pauseMs === undefined || (result.kind === 'refused' && hasNext)) return { kind: 'failed' };
  const askedMs = result.kind === 'refused' ? 0 : (result.afterMs ?? 0);
  const waitMs = Math.max(pauseMs, Math.min(askedMs, ASKED_MAX_MS));
  return { kind: 'retry', nextTryAt: new Date(now.getTime() + waitMs) };
}
