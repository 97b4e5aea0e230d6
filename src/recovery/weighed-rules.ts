import type { DeclineSignals, FirstStep, Policy, Route, RoundFacts, Rule } from './facts.js';
import { HOUR_MS } from './local-time.js';
import { limitOptionsOf, type SeenAttempt, weighLimits } from './network-limits.js';
import { placementWords } from './placement-words.js';
import { rule, type RuleName } from './rules.js';
import { nextCharge, type NextCharge } from './schedule.js';
import { adviceRowsOf, adviceStep, codeRowOf, networkOf, networkRowOf, networkStep } from './signals.js';
import { findDeclineRow } from './tables.js';

/** One rule as it was weighed for a decision. */
export interface Weighed {
  rule: string;
  /** What it says here, in words. */
  says: string;
  source: string;
  won: boolean;
}

export interface WeighedFacts {
  signals: DeclineSignals;
  paymentMethodType: string | null;
  cardCountry: string | null;
  route: Route;
  policy: Policy;
  round: RoundFacts;
  now: Date;
  seen: readonly SeenAttempt[];
  amount: { amountMinor: number; currency: string };
  decision: { kind: string; rule: Rule };
}

/**
 * Every rule that has a say, in the order of precedence: what stops a card, what the signals ask for, the network's
 * waits, the merchant's policy, the schedule, the limits, the deadline. The one that the decision names has won.
 */
export function weighRules(facts: WeighedFacts): Weighed[] {
  const all = [...signalRules(facts), ...policyRules(facts), ...limitRules(facts), ...scheduleRules(facts)];
  const winner = facts.decision.rule;
  const named = all.map((one) => ({ ...one, won: one.rule === winner.name }));
  // A rule that no signal and no table brought in, such as attempts_spent, is told last.
  if (named.some((one) => one.won)) return named;
  return [...named, { rule: winner.name, says: 'decides here', source: winner.source, won: true }];
}

type Unranked = Omit<Weighed, 'won'>;

function weighed(name: RuleName, note: string | null, says: string): Unranked {
  const { name: ruleName, source } = rule(name, note ?? undefined);
  return { rule: ruleName, says, source };
}

const STEP_WORDS: Readonly<Record<FirstStep, string>> = {
  charge: 'may be charged',
  queue: 'may be charged later',
  look_then_charge: 'may be charged after a look',
  look_then_fail: 'not charged, after a look',
  fail: 'not charged',
  authenticate: 'the customer must authenticate',
  block: 'never charged',
};

function signalRules({ signals, paymentMethodType, route, cardCountry, round }: WeighedFacts): Unranked[] {
  const hints = { paymentMethodType };
  const code = codeRowOf(signals);
  const network = networkRowOf(signals, hints);
  const closest = network && findDeclineRow(network.closestCode);
  const rules: Unranked[] = [];
  if (code) {
    const scope = code.scope === 'debt' ? '' : `scope ${code.scope}, `;
    const says = `${code.bucket}, ${scope}${STEP_WORDS[code.firstStep]}, ${code.meaning}`;
    rules.push(weighed('listed_code', code.code, says));
  } else if (route.code === null) {
    rules.push(weighed('no_code', null, 'no code was named: as a generic decline'));
  } else {
    rules.push(weighed('unlisted_code', null, `no table lists "${route.code}": handled with care`));
  }
  if (network && closest) {
    const category = network.visaCategory === null ? '' : `, Visa category ${network.visaCategory}`;
    const says = `${network.network} ${network.code}${category}: ${STEP_WORDS[networkStep(network, closest)]}`;
    rules.push(weighed('network_code', closest.code, says));
  }
  for (const row of adviceRowsOf(signals, hints)) {
    const step = adviceStep(row);
    const says = step === null ? `${row.effect}: stops nothing` : `${row.effect}: ${STEP_WORDS[step]}`;
    rules.push(weighed('advice_code', `${row.network}_${row.code}`, says));
  }
  if (round.chargesMade === 0 && cardCountry?.toUpperCase() === 'IN') {
    rules.push(weighed('india_without_mandate', null, 'the customer must authenticate'));
  }
  return rules;
}

function policyRules({ policy, route, now }: WeighedFacts): Unranked[] {
  const rules: Unranked[] = [];
  if (route.waitMs !== null) {
    const until = new Date(now.getTime() + route.waitMs).toISOString();
    rules.push(weighed('network_wait', null, `not before ${until} (${route.waitMs / HOUR_MS} h)`));
  }
  if (policy.notBefore) rules.push(weighed('not_before', null, `not before ${policy.notBefore.toISOString()}`));
  return rules;
}

function limitRules({ seen, signals, paymentMethodType, amount, now, policy }: WeighedFacts): Unranked[] {
  const weights = weighLimits(seen, networkOf(signals, { paymentMethodType }), amount, now, limitOptionsOf(policy));
  return weights.map(({ limit, used, fullAt, hold }) => {
    const frees = hold?.freeAt ? `full until ${hold.freeAt.toISOString()}` : 'never again';
    const says = `${used} of ${fullAt}: ${hold === null ? 'allows it' : frees}`;
    return { ...weighed('network_limit', limit.name, says), source: limit.source };
  });
}

function scheduleRules(facts: WeighedFacts): Unranked[] {
  const { route, policy, round, now } = facts;
  if (route.retryable !== 'yes') return [];
  const group = route.group ?? 'technical';
  const spent = round.chargesMade >= policy.attemptsMax;
  const attempts = weighed('attempts_spent', null, `${round.chargesMade} of ${policy.attemptsMax} charges made`);
  const slots = policy.rows[group].slotsHours.map((hours) => `${hours} h`).join(', ');
  const next = nextCharge(policy, group, round, { now, earliestAt: null, jitter: 0 });
  const rules = [
    weighed('scheduled', group, `slots ${slots} from the failed charge${spent ? '' : `; ${nextWords(next)}`}`),
  ];
  const deadline = weighed('nothing_fits', null, `the last charge an hour before ${round.deadlineAt.toISOString()}`);
  return [...rules, attempts, deadline];
}

function nextWords({ placement }: NextCharge): string {
  return placement === null ? 'none is left' : `next ${placementWords(placement)}`;
}
