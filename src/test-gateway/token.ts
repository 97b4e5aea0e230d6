import { APPROVE, FAULTS, PLAIN_CARD, type CardFeatures, type CardScript, type Step } from './card-script.js';
import { bankFailureOf, declineOf, type Decline } from './decline.js';
import { stripeTestCard } from './stripe-test-cards.js';

const DAY_MS = 86_400_000;

/** How long `pm_test_processing` stays at the bank, on the account's clock, when nobody settles it sooner. */
export const BANK_SETTLES_AFTER_MS = 3 * DAY_MS;

/**
 * What a raw test token means, or null for anything that is none.
 *
 * `pm_card_…`, `pm_usBankAccount_…`, `pm_bacsDebit_…`, `pm_sepaDebit_…` are Stripe's own. Ours:
 * - `pm_test_<code>` declines every time; `pm_test_<code>_x<n>` n times, then succeeds;
 *   `pm_test_<code>_then_<code>` once with the first, then always with the second (chains are allowed);
 * - `pm_test_authentication_required` demands authentication; a present customer can give it;
 * - `pm_test_processing` goes to the bank and settles by itself after three days; `pm_test_processing_then_<code>`
 *   comes back from the bank with that failure, and declines with it from then on;
 * - `pm_test_fault_<fault>` goes wrong once per debt, then succeeds; `…_x<n>` n times; with `…_then_<code>` the
 *   charges decline with that code, the one whose answer was lost included.
 *
 * Behind any of them, Stripe's included, `__<feature>_<value>` changes the card and nothing else:
 * `__brand_mastercard`, `__country_in`, `__funding_prepaid`, `__advice_do_not_try_again`, `__mac_03` (network advice
 * code), `__ndc_51` (network decline code), `__card_<label>` (the same script on another card, so another fingerprint).
 */
export function parseToken(token: string): CardScript | null {
  if (token.length > 255) return null;
  const [base = '', ...features] = token.split('__');
  const script = base.startsWith('pm_test_') ? ownScript(base.slice('pm_test_'.length)) : stripesScript(base);
  return features.reduce<CardScript | null>((changed, feature) => changed && withFeature(changed, feature), script);
}

function stripesScript(base: string): CardScript | null {
  return base.startsWith('pm_') ? stripeTestCard(base.slice('pm_'.length)) : null;
}

function ownScript(name: string): CardScript | null {
  if (name.startsWith('fault_')) return faultScript(name.slice('fault_'.length));
  const steps = chain(name);
  if (steps === null) return null;
  const isDebit = steps.some((step) => step.kind === 'process');
  const features: CardFeatures = isDebit ? { ...PLAIN_CARD, method: 'us_bank_account' } : PLAIN_CARD;
  return { features, steps, fault: null, attach: 'allowed' };
}

function faultScript(name: string): CardScript | null {
  const fault = FAULTS.find((candidate) => name === candidate || name.startsWith(`${candidate}_`));
  if (fault === undefined) return null;
  const parts = /^(?:_x(\d{1,3}))?(?:_then_(.+))?$/.exec(name.slice(fault.length));
  if (parts === null) return null;
  const steps = parts[2] === undefined ? [APPROVE] : chain(parts[2]);
  return steps && { features: PLAIN_CARD, steps, fault: { fault, times: Number(parts[1] ?? 1) }, attach: 'allowed' };
}

/** `a_x2_then_b`: a, a, then b for ever; `a_x2` alone: a, a, then success. */
function chain(name: string): Step[] | null {
  const links = name.split('_then_');
  const steps: Step[] = [];
  for (const [index, link] of links.entries()) {
    const parsed = /^([a-z0-9]+(?:_[a-z0-9]+)*?)(?:_x(\d{1,3}))?$/.exec(link);
    const code = parsed?.[1];
    if (code === undefined) return null;
    const step = stepOf(code, links[index + 1]);
    const times = parsed?.[2];
    for (let time = 0; time < Number(times ?? 1); time += 1) steps.push(step);
    if (times !== undefined && index === links.length - 1) steps.push(APPROVE);
  }
  return steps;
}

function stepOf(code: string, next: string | undefined): Step {
  if (code === 'authentication_required') return { kind: 'authenticate', when: 'always', then: APPROVE };
  if (code !== 'processing') return { kind: 'decline', decline: declineOf(code) };
  const failure = next === undefined ? null : bankFailureOf(next.replace(/_x\d+$/, ''));
  return { kind: 'process', settlesAfterMs: BANK_SETTLES_AFTER_MS, failure };
}

function withFeature(script: CardScript, feature: string): CardScript | null {
  const [, name, value] = /^([a-z]+)_([A-Za-z0-9_]+)$/.exec(feature) ?? [];
  if (name === undefined || value === undefined) return null;
  switch (name) {
    case 'card': // The token itself makes the fingerprint: nothing else to change.
      return script;
    case 'brand':
      return { ...script, features: { ...script.features, brand: value } };
    case 'country':
      return /^[a-z]{2}$/.test(value) ? withCountry(script, value.toUpperCase()) : null;
    case 'funding': {
      const funding = (['credit', 'debit', 'prepaid'] as const).find((word) => word === value);
      return funding ? { ...script, features: { ...script.features, funding } } : null;
    }
    case 'advice':
      return withDecline(script, { adviceCode: value });
    case 'mac':
      return withDecline(script, { networkAdviceCode: value });
    case 'ndc':
      return withDecline(script, { networkDeclineCode: value });
    default:
      return null;
  }
}

function withCountry(script: CardScript, country: string): CardScript {
  return { ...script, features: { ...script.features, country } };
}

/** Changes what every decline of the script says. */
function withDecline(script: CardScript, change: Partial<Decline>): CardScript {
  return { ...script, steps: script.steps.map((step) => changed(step, change)) };
}

function changed(step: Step, change: Partial<Decline>): Step {
  switch (step.kind) {
    case 'approve':
      return step;
    case 'decline':
      return { ...step, decline: { ...step.decline, ...change } };
    case 'authenticate':
      return { ...step, then: changed(step.then, change) };
    case 'process':
      return { ...step, failure: step.failure && { ...step.failure, ...change } };
  }
}
