import type { DeclineSignals } from '../recovery/facts.js';
import { limitOptionsOf, limitsFreeAt, type LimitHold, type SeenAttempt } from '../recovery/network-limits.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { networkOf, networkRowOf } from '../recovery/signals.js';
import type { Recovery } from './recovery.js';
import { hintsOf } from './transition.js';

/** A charge of the card that we did not make. Amount in minor units. */
export interface SeenCharge {
  clientId: string;
  debtName: string;
  at: Date;
  cardFingerprint: string | null;
  tokenHash: Buffer;
  amountMinor: number;
  currency: string;
  networkDeclineCode: string | null;
  networkAdviceCode: string | null;
}

/** A recovery before any charge of our own, as far as its request and its readings tell of others. */
export type Telling = Pick<
  Recovery,
  | 'clientId'
  | 'debtName'
  | 'cardFingerprint'
  | 'tokenHash'
  | 'amountRequestedMinor'
  | 'currency'
  | 'priorAttempts'
  | 'lastAttemptAt'
  | 'originalSignals'
  | 'createdAt'
  | 'hints'
  | 'card'
>;

/**
 * The declined charges that a request tells of, before any of our own: its `priorAttempts`, and the failed charge that it
 * is about. Where that one's time is not known it counts as just made: never too few. Pure.
 */
export function foreignCharges(recovery: Telling): SeenCharge[] {
  const { clientId, debtName, cardFingerprint, tokenHash, amountRequestedMinor: amountMinor, currency } = recovery;
  const shared = { clientId, debtName, cardFingerprint, tokenHash, amountMinor, currency };
  const original = originalAt(recovery);
  const priors = recovery.priorAttempts
    .map(({ at, declineCode }) => ({ at: new Date(at), ...codesOf(recovery, { ...NO_SIGNALS, declineCode }) }))
    .filter(({ at }, index, all) => all.findIndex((other) => other.at.getTime() === at.getTime()) === index)
    .filter(({ at }) => at.getTime() !== original?.getTime())
    .map((prior) => ({ ...shared, ...prior }));
  return original === null
    ? priors
    : [...priors, { ...shared, at: original, ...codesOf(recovery, recovery.originalSignals) }];
}

/** When the failed charge failed, as far as the request or the gateway tells; null where there was none. */
function originalAt({ lastAttemptAt, originalSignals, createdAt }: Telling): Date | null {
  return lastAttemptAt ?? (originalSignals === null ? null : createdAt);
}

/**
 * A card that was replaced since is not what those codes were said of. The network's own code may have been sent as the
 * decline code: the router reads it there, and so does the ledger.
 */
function codesOf(
  recovery: Telling,
  signals: DeclineSignals | null,
): Pick<SeenCharge, 'networkDeclineCode' | 'networkAdviceCode'> {
  if (recovery.hints.cardChanged === true || signals === null) {
    return { networkDeclineCode: null, networkAdviceCode: null };
  }
  const branded = { ...signals, brand: signals.brand ?? recovery.card?.brand ?? null };
  const { networkDeclineCode, networkAdviceCode } = signals;
  return {
    networkDeclineCode: networkRowOf(branded, hintsOf(recovery))?.code ?? networkDeclineCode,
    networkAdviceCode,
  };
}

/** The limit that holds a charge of this recovery back, by the charges of its card that are known; null when all allow it. */
export function holdOn(recovery: Recovery, seen: readonly SeenAttempt[], now: Date): LimitHold | null {
  const { amountMinor, currency, policy } = recovery;
  const network = networkOf({ ...NO_SIGNALS, brand: recovery.card?.brand ?? null }, hintsOf(recovery));
  return limitsFreeAt(seen, network, { amountMinor, currency }, now, limitOptionsOf(policy));
}

export function seenOfForeign({
  at,
  amountMinor,
  currency,
  networkDeclineCode,
  networkAdviceCode,
}: SeenCharge): SeenAttempt {
  return { at, declined: true, amountMinor, currency, networkDeclineCode, networkAdviceCode, ofThisDebt: true };
}
