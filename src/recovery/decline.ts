import type { DeclineSignals, Route, ScheduleGroup } from './facts.js';
import { rule } from './rules.js';
import {
  adviceRowsOf,
  adviceStep,
  codeRowOf,
  isBankDebit,
  networkRowOf,
  networkStep,
  plainCode,
  type RouteHints,
  strictness,
} from './signals.js';
import { type AdviceRow, type DeclineRow, findDeclineRow, type NetworkRow } from './tables.js';

export type { RouteHints } from './signals.js';

const HOUR_MS = 3_600_000;

/** What the customer may read of a decline whose reason must not show: lost, stolen and fraud look like any other. */
export const PLAIN_DECLINE_TEXT =
  'Your payment could not be completed. Please use a different payment method or contact your card issuer.';

/** A code that no table knows: as an ambiguous decline, on its own schedule, and told to the operator. */
const UNLISTED: Omit<Route, 'code' | 'rule'> = {
  bucket: 'blended',
  scope: 'debt',
  firstStep: 'queue',
  retryable: 'yes',
  group: 'unlisted',
  recommendedAction: 'retry_later',
  finalAction: 'request_card_update',
  detail: null,
  neverCharge: false,
  stopsCard: false,
  waitMs: null,
  listed: false,
  customerMessageSafe: PLAIN_DECLINE_TEXT,
};

/** A decline that named no code at all is the gateway's generic one: nothing unknown was said. */
const NO_CODE: Omit<Route, 'code' | 'rule'> = { ...UNLISTED, firstStep: 'charge', group: 'ambiguous', listed: true };

/**
 * Reads one decline: every signal is looked up and the strictest wins, block > authenticate > fail > look > queue >
 * charge; on a tie the decline code (or error code) before the network's code before advice. Total: any text gives a
 * route, unknown ones the careful `unlisted`.
 */
export function routeDecline(signals: DeclineSignals, hints: RouteHints = {}): Route {
  const codeRow = codeRowOf(signals);
  const networkRow = weighed(networkRowOf(signals, hints), signals, codeRow);
  const advice = adviceRowsOf(signals, hints);
  const base = withNetwork(baseRoute(signals, codeRow, networkRow), networkRow);
  const route = withAdvice(withGatewayBlock(base, signals), advice);
  return forDebit(withFlags(route, networkRow, advice), isBankDebit(signals, hints));
}

/**
 * What the merchant said of a failed charge and what the gateway reads of it, as one: the merchant's word with what it
 * leaves open filled in, unless the reading alone asks for a stricter step. A stolen card is one, whatever was sent.
 */
export function joinSignals(
  said: DeclineSignals | null,
  read: DeclineSignals | null,
  hints: RouteHints,
): DeclineSignals | null {
  if (said === null || read === null) return said ?? read;
  const joined: DeclineSignals = {
    declineCode: said.declineCode ?? read.declineCode,
    errorCode: said.errorCode ?? read.errorCode,
    adviceCode: said.adviceCode ?? read.adviceCode,
    networkDeclineCode: said.networkDeclineCode ?? read.networkDeclineCode,
    networkAdviceCode: said.networkAdviceCode ?? read.networkAdviceCode,
    brand: said.brand ?? read.brand,
    ...(read.blockedByGateway === undefined ? {} : { blockedByGateway: read.blockedByGateway }),
  };
  const [of, alone] = [routeDecline(joined, hints), routeDecline(read, hints)];
  const isStricter = strictness(alone.firstStep) > strictness(of.firstStep) || (alone.stopsCard && !of.stopsCard);
  return isStricter ? { ...read, brand: joined.brand } : joined;
}

/** The code that bodies and events carry: what the issuer or gateway said, before any mapping of ours. */
export function declineCodeOf(signals: DeclineSignals, hints: RouteHints = {}): string | null {
  return (
    signals.declineCode ?? signals.errorCode ?? networkRowOf(signals, hints)?.closestCode ?? signals.networkDeclineCode
  );
}

/** A row that is only meant for lack of better says nothing beside a listed code. */
function weighed(row: NetworkRow | null, signals: DeclineSignals, codeRow: DeclineRow | null): NetworkRow | null {
  return row?.weight === 'alone' && codeRow !== null ? null : row;
}

function baseRoute(signals: DeclineSignals, codeRow: DeclineRow | null, networkRow: NetworkRow | null): Route {
  if (codeRow) return routeOfRow(codeRow, 'listed_code');
  const closest = networkRow && findDeclineRow(networkRow.closestCode);
  if (closest) return routeOfRow(closest, 'network_code');
  const code = plainCode(signals.declineCode) ?? plainCode(signals.errorCode) ?? plainCode(signals.networkDeclineCode);
  return code === null
    ? { ...NO_CODE, code: null, rule: rule('no_code') }
    : { ...UNLISTED, code, rule: rule('unlisted_code') };
}

function routeOfRow(row: DeclineRow, name: 'listed_code' | 'network_code'): Route {
  return {
    code: row.code,
    bucket: row.bucket,
    scope: row.scope,
    firstStep: row.firstStep,
    retryable: row.retryable,
    group: row.group,
    recommendedAction: row.recommendedAction === 'authenticate' ? 'request_card_update' : row.recommendedAction,
    finalAction: row.finalAction,
    detail: row.recommendedAction === 'authenticate' ? 'authenticate' : null,
    neverCharge: row.firstStep === 'block',
    stopsCard: row.code === 'do_not_try_again',
    waitMs: null,
    listed: true,
    customerMessageSafe: row.customerMessageSafe,
    rule: rule(name, row.code),
  };
}

/** The network's code speaks beside the decline code: where it is stricter, its closest row takes over. */
function withNetwork(route: Route, network: NetworkRow | null): Route {
  const row = network && findDeclineRow(network.closestCode);
  if (!row) return route;
  const step = networkStep(network, row);
  if (strictness(step) <= strictness(route.firstStep)) return route;
  const closest = routeOfRow(row, 'network_code');
  const named = { ...closest, stopsCard: closest.stopsCard || route.stopsCard, rule: rule('network_code', row.code) };
  return step === row.firstStep ? named : stopped(named, manual(network), named.rule);
}

function manual(network: NetworkRow): Route['finalAction'] {
  return network.recommendedAction === 'manual_review' ? 'manual_review' : 'request_card_update';
}

/** Radar and Adaptive Acceptance refuse before the network does: repeating a generic one of theirs is useless. */
function withGatewayBlock(route: Route, signals: DeclineSignals): Route {
  const applies = signals.blockedByGateway === true && strictness(route.firstStep) < strictness('fail');
  return applies ? stopped(route, route.finalAction, rule('blocked_by_gateway')) : route;
}

/** Advice can stop a charge that the code would allow, never allow one that the code stops. */
function withAdvice(route: Route, advice: readonly AdviceRow[]): Route {
  const stopping = advice.filter((row) => adviceStep(row) !== null);
  const first = stopping[0];
  const reviewed = stopping.some((row) => REVIEWED_ADVICE.has(`${row.network}:${row.code}`));
  const finalAction = reviewed ? 'manual_review' : route.finalAction;
  if (!first || strictness(route.firstStep) >= strictness('fail')) return { ...route, finalAction };
  return stopped(route, finalAction, rule('advice_code', `${first.network}_${first.code}`));
}

/** Mastercard 04 (wrong kind of token) and 21 (the customer cancelled the series): no new card mends either. */
const REVIEWED_ADVICE: ReadonlySet<string> = new Set(['mastercard:04', 'mastercard:21']);

function stopped(route: Route, finalAction: Route['finalAction'], by: Route['rule']): Route {
  const soft = route.bucket === 'retry_only' || route.bucket === 'blended';
  return {
    ...route,
    bucket: soft ? 'hard' : route.bucket,
    firstStep: 'fail',
    retryable: 'no',
    group: null,
    recommendedAction: finalAction,
    finalAction,
    customerMessageSafe: finalMessage(route.customerMessageSafe),
    rule: by,
  };
}

/** What holds whichever row won: a stop for this card, and the network's wait. */
function withFlags(route: Route, network: NetworkRow | null, advice: readonly AdviceRow[]): Route {
  const wait = advice.find((row) => row.effect === 'wait')?.waitHours ?? null;
  const never = advice.some((row) => row.effect === 'never') || network?.visaCategory === 1;
  return {
    ...route,
    stopsCard: route.stopsCard || never,
    waitMs: wait === null ? null : wait * HOUR_MS,
  };
}

/** Card delays are never used for bank debits (a return takes days, and schemes allow two re-presentments). */
function forDebit(route: Route, debit: boolean): Route {
  const group: ScheduleGroup | null = debit && route.group !== null ? 'debit' : route.group;
  return { ...route, group };
}

/** The customer's text of a final event: a promise to try again would no longer be true. */
export function finalMessage(text: string): string {
  return text.includes('we will try again') || text.includes('We will try again') ? PLAIN_DECLINE_TEXT : text;
}
