import type { Decline } from './decline.js';

/** A way for the answer to go wrong on the wire; `before` and `after` say on which side of the charge. */
export const FAULTS = [
  'timeout_after_charge',
  'timeout_before_charge',
  'reset_after_charge',
  'reset_before_charge',
  '500_after_charge',
  '500_before_charge',
  'truncated_after_charge',
  '401_before_charge',
] as const;
export type Fault = (typeof FAULTS)[number];

/** What one charge answers. */
export type Step =
  | { kind: 'approve'; thenDisputed: boolean }
  | { kind: 'decline'; decline: Decline }
  // `on_session` cards are set up for off-session use: only a present customer is asked.
  | { kind: 'authenticate'; when: 'always' | 'on_session'; then: Step }
  // At the bank: it settles later, as `failure` says (null: the money comes).
  | { kind: 'process'; settlesAfterMs: number; failure: Decline | null };

/** The card that a token stands for, as far as the token says. */
export interface CardFeatures {
  method: 'card' | 'us_bank_account' | 'bacs_debit' | 'sepa_debit';
  brand: string;
  country: string;
  funding: 'credit' | 'debit' | 'prepaid';
}

/** Everything a test token means. */
export interface CardScript {
  features: CardFeatures;
  /** One step per charge of a debt, the last one for ever. Never empty. */
  steps: readonly Step[];
  /** Goes wrong on the first `times` calls of a debt. */
  fault: { fault: Fault; times: number } | null;
  attach: 'allowed' | 'declined';
}

export const APPROVE: Step = { kind: 'approve', thenDisputed: false };

export const PLAIN_CARD: CardFeatures = { method: 'card', brand: 'visa', country: 'US', funding: 'credit' };

/** The step for a debt's `played`-th charge with this card, counted from 0. */
export function stepAt(script: CardScript, played: number): Step {
  return script.steps[Math.min(played, script.steps.length - 1)] ?? APPROVE;
}
