import type { Advice, Bucket, EndReason, RecommendedAction, Route, State } from './facts.js';
import { endEventOf } from './lifecycle.js';

export interface AdviceFacts {
  state: State;
  endReason: EndReason | null;
  /** The newest decline's route; null when nothing was declined. */
  route: Route | null;
  /** What a `failed` decision or reading said, such as `amount_mismatch`. */
  detail: string | null;
  /** Charges of ours so far, those not executed left out: a recovery can end before any. */
  charges: number;
  /** A success that came after `cancelled: paid_elsewhere`: the customer paid twice. */
  paidTwice?: boolean;
}

export interface FullAdvice extends Advice {
  declineCategory: Bucket | null;
  /** The event that carries this advice ends the round. */
  final: boolean;
}

/** What the merchant should do next, for bodies and events. `retry_later` only while a retry of ours is set. */
export function adviceFor(facts: AdviceFacts): FullAdvice {
  return {
    ...actionFor(facts),
    willRetry: facts.state === 'queued',
    declineCategory: facts.route?.bucket ?? null,
    final: endEventOf(facts.state) !== null,
  };
}

type Action = Omit<Advice, 'willRetry'>;

function action(recommendedAction: RecommendedAction, reason: string, detail: string | null = null): Action {
  return { recommendedAction, recommendedActionReason: reason, recommendedActionDetail: detail };
}

function actionFor(facts: AdviceFacts): Action {
  switch (facts.state) {
    case 'queued':
      return action('retry_later', 'A retry is scheduled; nothing needs to be done.');
    case 'in_progress':
      return action('monitor', 'The payment is with the bank; its outcome follows by webhook.');
    case 'reconciling':
      return action('monitor', 'The outcome of the last charge is being looked up; it follows by webhook.');
    case 'action_required':
      return action('request_card_update', AUTHENTICATE, 'authenticate');
    case 'succeeded':
      return facts.paidTwice
        ? action('manual_review', 'The customer paid twice: refund one of the payments.', 'refund_duplicate')
        : action('monitor', 'The payment was collected; nothing needs to be done.');
    case 'blocked':
      return byRoute(facts.route, 'The payment method must not be charged again.');
    case 'cancelled':
      return action('monitor', 'The recovery was cancelled; nothing more is tried.');
    case 'holdout':
      return action('monitor', 'Control group: nothing was attempted.');
    case 'failed':
      return afterFailure(facts);
  }
}

const AUTHENTICATE = 'The bank wants the customer to authenticate this payment.';

function afterFailure({ endReason, route, detail, charges }: AdviceFacts): Action {
  switch (endReason) {
    case 'possibly_paid':
      return action('manual_review', 'A payment of this amount may have been made already.', 'possibly_paid');
    case 'amount_changed':
      return action('manual_review', 'The invoice no longer has the amount that was asked for.', 'amount_changed');
    case 'original_transaction_open':
      return action('manual_review', 'The original payment is still open; cancel it, or send what it has.', endReason);
    case 'token_not_reusable':
      return action('request_card_update', 'The payment method can be charged once only.', endReason);
    case 'not_authenticated':
      return action('request_card_update', AUTHENTICATE, 'authenticate');
    case 'configuration':
      return action(
        'manual_review',
        'The payment can not be made, for a reason that no retry or new card mends.',
        detail,
      );
    case 'disputed':
      return action('manual_review', 'The original charge is disputed.');
    case 'refunded':
      return action('manual_review', 'The original charge was refunded.');
    case 'hard_decline':
      return byRoute(route, 'This payment method can not be charged again.');
    case 'deadline':
      return byRoute(route, 'The deadline has passed.');
    default:
      return byRoute(route, charges === 0 ? 'No charge was possible in time.' : 'No retry is left.');
  }
}

/** The row's final advice. Where no row speaks somebody must still write to the customer. */
function byRoute(route: Route | null, fallbackReason: string): Action {
  if (route?.finalAction === 'manual_review') {
    return action('manual_review', `${fallbackReason} The decline asks for a look by your team.`);
  }
  return action('request_card_update', `${fallbackReason} Ask the customer for another payment method.`);
}

export interface HoldFacts {
  endReason: EndReason | null;
  route: Route | null;
  recommendedAction: RecommendedAction;
  /** `simulateOutcome` was sent, or the test gateway's forced failure was asked for. */
  simulated: boolean;
}

/**
 * True when a `recovery.failed` waits before it is sent, so that a late payment can withdraw it: only a spent round
 * after soft declines that asks for a new card.
 */
export function isHeld({ endReason, route, recommendedAction, simulated }: HoldFacts): boolean {
  const spent = endReason === 'exhausted' || endReason === 'deadline';
  const soft = route?.bucket === 'blended' || route?.bucket === 'retry_only';
  return spent && soft && recommendedAction === 'request_card_update' && !simulated;
}
