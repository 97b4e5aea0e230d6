/** What an event is about: its subject is read again at Stripe before anything is decided. */
export type SubjectKind =
  | 'invoice'
  | 'payment'
  | 'payment_method'
  | 'subscription'
  | 'mandate'
  | 'checkout_session'
  | 'setup_intent'
  | 'account';

/** Every event that is asked for and understood, by what it is about. One table: what is registered is what is read. */
export const EVENT_SUBJECTS = {
  'invoice.payment_failed': 'invoice',
  'invoice.payment_action_required': 'invoice',
  'invoice.paid': 'invoice',
  'invoice.payment_succeeded': 'invoice',
  'invoice.voided': 'invoice',
  'invoice.marked_uncollectible': 'invoice',
  'invoice.updated': 'invoice',
  'payment_intent.succeeded': 'payment',
  'payment_intent.payment_failed': 'payment',
  'charge.failed': 'payment',
  'charge.refunded': 'payment',
  'charge.dispute.created': 'payment',
  'payment_method.attached': 'payment_method',
  'payment_method.automatically_updated': 'payment_method',
  'customer.subscription.updated': 'subscription',
  'customer.subscription.deleted': 'subscription',
  'checkout.session.completed': 'checkout_session',
  'setup_intent.succeeded': 'setup_intent',
  'mandate.updated': 'mandate',
  'account.application.deauthorized': 'account',
} as const satisfies Readonly<Record<string, SubjectKind>>;

export type StripeEventType = keyof typeof EVENT_SUBJECTS;

/** The exact list that an endpoint at Stripe is registered with. */
export const STRIPE_EVENTS: readonly StripeEventType[] = Object.keys(EVENT_SUBJECTS) as StripeEventType[];

export function isKnownEvent(type: string): type is StripeEventType {
  return Object.hasOwn(EVENT_SUBJECTS, type);
}
