import type { Placement, Policy, Route, Rule } from './facts.js';
import type { LimitHold } from './network-limits.js';
import { rule } from './rules.js';

/** Something that says "not before": the network's wait, its limit, or the merchant's own start. */
export interface Earliest {
  at: Date;
  rule: Rule;
}

/**
 * What holds a charge back the longest; null when nothing does. Of equal instants the network's wait is named before its
 * limit, and both before the merchant's `notBefore` (docs/decisions.md#which-rule-is-named).
 * @param declinedAt from when the network's wait counts.
 */
export function latestEarliest(
  route: Pick<Route, 'waitMs'> | null,
  declinedAt: Date,
  hold: LimitHold | null,
  { notBefore }: Pick<Policy, 'notBefore'>,
): Earliest | null {
  const waitMs = route?.waitMs ?? null;
  const all: (Earliest | null)[] = [
    waitMs === null ? null : { at: new Date(declinedAt.getTime() + waitMs), rule: rule('network_wait') },
    hold?.freeAt ? { at: hold.freeAt, rule: hold.rule } : null,
    notBefore === null ? null : { at: notBefore, rule: rule('not_before') },
  ];
  return all.reduce((latest, one) => (one !== null && (latest === null || one.at > latest.at) ? one : latest), null);
}

/** The rule to name for a placed charge: what moved it beyond its slot, else `otherwise`. */
export function ruleOfPlacement(earliest: Earliest | null, placement: Placement | null, otherwise: Rule): Rule {
  if (earliest === null || placement === null) return otherwise;
  const { slotMs, earliestMs } = placement;
  return earliest.at.getTime() === earliestMs && earliestMs > slotMs ? earliest.rule : otherwise;
}
