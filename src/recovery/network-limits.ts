import type { Policy, Rule } from './facts.js';
import { LIMIT_TABLES, type NetworkFeeRow, type NetworkLimit } from './limit-tables.js';
import { HOUR_MS } from './local-time.js';
import { rule } from './rules.js';
import { isDebitType, rawCode } from './signals.js';
import { findNetworkRow, type NetworkRow } from './tables.js';

/** One charge of a card or account that is known, whoever made it. */
export interface SeenAttempt {
  at: Date;
  /**
   * Only declines count, and an attempt whose outcome is not known counts as one. One that the gateway refused before
   * the network saw it is none.
   */
  declined: boolean;
  amountMinor: number;
  currency: string;
  /** The network's raw response or return code, such as `51` or `R01`; null or left out where it was not passed on. */
  networkDeclineCode?: string | null;
  /** Mastercard's raw advice, such as `03`. */
  networkAdviceCode?: string | null;
  /** False for a charge of another debt on the same account; it matters for bank debits alone. True when left out. */
  ofThisDebt?: boolean;
}

/** What an attempt would have cost beyond the network's own figure. */
export interface NetworkFee {
  /** In the smallest unit of `currency`. */
  amountMinor: number;
  currency: string;
  source: string;
}

/** A limit that holds the next attempt back. */
export interface LimitHold {
  /** When it allows the attempt again; null: never, on this card or account. */
  freeAt: Date | null;
  /** Names the row of network-limits.csv, as in `network_limit:visa_reattempts_30d`, with that row's source. */
  rule: Rule;
  /** What the refused attempt would have cost; null below the network's own figure, or where no amount is public. */
  fee: NetworkFee | null;
}

/** One limit weighed: how much of it is used, and whether it holds. */
export interface LimitWeight {
  limit: NetworkLimit;
  /** How many of what it counts lie in its window now. */
  used: number;
  /** From this many on, the next attempt is refused. */
  fullAt: number;
  hold: LimitHold | null;
}

export interface LimitOptions {
  /** Visa's cap of re-attempts in 30 days, from 15 to 20; the table's figure when left out. */
  reattemptsMax?: number;
  /** The card was issued in another country than the merchant's: dearer at Visa. */
  crossBorder?: boolean;
}

/** What a recovery's policy says about the limits: the table's figures where it says nothing. */
export function limitOptionsOf({ visaReattemptsMax }: Pick<Policy, 'visaReattemptsMax'>): LimitOptions {
  return visaReattemptsMax === undefined ? {} : { reattemptsMax: visaReattemptsMax };
}

/** Visa's own cap is 20 re-attempts in 30 days since 2025; most processors still print 15. */
export const VISA_REATTEMPTS_MIN = 15;
export const VISA_REATTEMPTS_MAX = 20;

/**
 * Weighs the networks' limits for the next attempt of this amount; null when all allow it now. Of several that hold the
 * one that frees last is named. Windows roll: a decline leaves its window exactly 24 hours or 30 days after it, and one
 * that another clock dates in the future counts at once.
 * @param attempts every attempt known of this one card or account, ours, the merchant's and the gateway's own, in any order.
 * @param brand lower case, such as `visa`, or the type of a bank debit; null for anything else, which has no limit here.
 * @throws {RangeError} for a cap that Visa's rules do not cover.
 */
export function limitsFreeAt(
  attempts: readonly SeenAttempt[],
  brand: string | null,
  amount: { amountMinor: number; currency: string },
  now: Date,
  options: LimitOptions = {},
): LimitHold | null {
  return weighLimits(attempts, brand, amount, now, options).reduce<LimitHold | null>(
    (latest, { hold }) => (hold !== null && isLater(hold, latest) ? hold : latest),
    null,
  );
}

function isLater(hold: LimitHold, than: LimitHold | null): boolean {
  if (than === null) return true;
  return than.freeAt !== null && (hold.freeAt === null || hold.freeAt > than.freeAt);
}

/** Every limit of the network, in the table's order, with what is used of it; see `limitsFreeAt`. */
export function weighLimits(
  attempts: readonly SeenAttempt[],
  brand: string | null,
  amount: { amountMinor: number; currency: string },
  now: Date,
  options: LimitOptions = {},
): LimitWeight[] {
  const cap = options.reattemptsMax ?? null;
  if (cap !== null && !(Number.isInteger(cap) && cap >= VISA_REATTEMPTS_MIN && cap <= VISA_REATTEMPTS_MAX)) {
    throw new RangeError(`reattemptsMax must be a whole number from ${VISA_REATTEMPTS_MIN} to ${VISA_REATTEMPTS_MAX}.`);
  }
  if (brand === null) return [];
  const declines = attempts.filter((one) => one.declined).sort((a, b) => a.at.getTime() - b.at.getTime());
  return limitsOf(brand).map((limit) => {
    const ofAmount = (one: SeenAttempt) => one.amountMinor === amount.amountMinor && one.currency === amount.currency;
    const seen = limit.per === 'card_amount' ? declines.filter(ofAmount) : declines;
    const fullAt = limit.counts === 'reattempts' ? (cap ?? limit.fullAt) : limit.fullAt;
    return weigh(limit, fullAt, countedBy(limit, seen, brand, now), now, options);
  });
}

function limitsOf(brand: string): readonly NetworkLimit[] {
  const own = brand === 'visa' || brand === 'mastercard' ? brand : isDebitType(brand) ? 'debit' : 'other';
  return BY_NETWORK[own];
}

const BY_NETWORK: Readonly<Record<NetworkLimit['network'], readonly NetworkLimit[]>> = {
  visa: LIMIT_TABLES.limits.filter((limit) => limit.network === 'visa'),
  mastercard: LIMIT_TABLES.limits.filter((limit) => limit.network === 'mastercard'),
  debit: LIMIT_TABLES.limits.filter((limit) => limit.network === 'debit'),
  other: LIMIT_TABLES.limits.filter((limit) => limit.network === 'other'),
};

/** @param counted what this limit counts, oldest first. */
function weigh(
  limit: NetworkLimit,
  fullAt: number,
  counted: SeenAttempt[],
  now: Date,
  options: LimitOptions,
): LimitWeight {
  const windowMs = limit.windowHours === null || limit.counts === 'older_than' ? Infinity : limit.windowHours * HOUR_MS;
  const inside = counted.filter((one) => one.at.getTime() + windowMs > now.getTime());
  // One place must be left for the attempt that asks: the oldest that are too many have to leave first.
  const leaving = inside[inside.length - fullAt];
  if (leaving === undefined) return { limit, used: inside.length, fullAt, hold: null };
  const freeMs = leaving.at.getTime() + windowMs;
  const hold: LimitHold = {
    freeAt: freeMs === Infinity ? null : new Date(freeMs),
    rule: { name: rule('network_limit', limit.name).name, source: limit.source },
    fee: feeOf(limit, inside.length, now, options.crossBorder === true),
  };
  return { limit, used: inside.length, fullAt, hold };
}

/** The declines that one limit counts. */
function countedBy(limit: NetworkLimit, seen: SeenAttempt[], brand: string, now: Date): SeenAttempt[] {
  const ofDebt = seen.filter((one) => one.ofThisDebt !== false);
  switch (limit.counts) {
    case 'declines':
      return seen;
    case 'reattempts': // The first decline is no re-attempt.
      return seen.slice(1);
    case 'category_1':
      return seen.filter((one) => networkRow('visa', one.networkDeclineCode)?.visaCategory === 1);
    case 'return_code': // Without a raw code the router has judged the gateway's own.
      return ofDebt.filter((one) => (networkRow(brand, one.networkDeclineCode)?.autoRetry ?? 'yes') !== 'yes');
    case 'representments':
      return ofDebt.slice(1);
    case 'older_than':
      return ofDebt.filter((one) => now.getTime() - one.at.getTime() > (limit.windowHours ?? 0) * HOUR_MS);
    default: {
      const advice = limit.counts.slice('advice_'.length);
      return seen.filter((one) => rawCode(one.networkAdviceCode) === advice);
    }
  }
}

/** Codes are read in the router's own spelling: `r0` or `7` must not stop one debt and leave the card to the others. */
function networkRow(network: string, code: string | null | undefined): NetworkRow | null {
  const raw = rawCode(code);
  return raw === null ? null : findNetworkRow(network, raw);
}

/** The fee of one more attempt: none while the network's own figure is not reached, or no amount is public. */
function feeOf(limit: NetworkLimit, used: number, now: Date, crossBorder: boolean): NetworkFee | null {
  if (limit.networkFigure === null || used < limit.networkFigure) return null;
  const row = LIMIT_TABLES.fees.find((fee) => fee.limit === limit.name && isInForce(fee, now.getTime(), crossBorder));
  return row ? { amountMinor: row.amountMinor, currency: row.currency, source: row.source } : null;
}

function isInForce(fee: NetworkFeeRow, atMs: number, crossBorder: boolean): boolean {
  const region = fee.region === 'any' || (fee.region === 'cross_border') === crossBorder;
  return region && atMs >= (fee.fromMs ?? -Infinity) && atMs < (fee.untilMs ?? Infinity);
}
