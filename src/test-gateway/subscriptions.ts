import type { Stored, SubscriptionBody } from './bodies.js';
import type { Call } from './call.js';
import { loadInstrument } from './instruments.js';
import { ok, type Reply } from './reply.js';
import { wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Subscription = Stored<'subscription'>;

/** POST /v1/subscriptions/{id}: the method that its invoices are charged to. */
export async function updateSubscription({ uow, params, id }: Call): Promise<Reply> {
  const subscription = await uow.lock('subscription', id);
  const method = params.filled('default_payment_method');
  subscription.body.metadata = params.metadata(subscription.body.metadata);
  params.refuseUnknown();
  const before = subscription.body.default_payment_method;
  if (method !== undefined) {
    subscription.body.default_payment_method = (await loadInstrument(uow, method, 'default_payment_method')).body.id;
  }
  uow.save(subscription);
  uow.emit('customer.subscription.updated', subscription.body, { default_payment_method: before });
  return ok(subscription.body);
}

/** DELETE /v1/subscriptions/{id}: over at once; its open invoices stay open. */
export async function cancelSubscription({ uow, params, id }: Call): Promise<Reply> {
  params.ignore('invoice_now', 'prorate', 'cancellation_details');
  params.refuseUnknown();
  const subscription = await uow.lock('subscription', id);
  if (subscription.body.status === 'canceled') throw wrongState(`No such subscription: '${id}'`);
  endSubscription(uow, subscription, 'cancellation_requested');
  return ok(subscription.body);
}

export function endSubscription(uow: UnitOfWork, subscription: Subscription, reason: string): void {
  const { body } = subscription;
  body.status = 'canceled';
  body.canceled_at = uow.nowSeconds;
  body.ended_at = uow.nowSeconds;
  body.cancellation_details.reason = reason;
  uow.save(subscription);
  uow.emit('customer.subscription.deleted', body);
}

/** A subscription whose latest invoice was paid is served again. */
export async function subscriptionPaid(uow: UnitOfWork, invoice: Stored<'invoice'>): Promise<void> {
  await moveSubscription(uow, invoice, ['past_due', 'unpaid', 'incomplete'], 'active');
}

/** Its invoice could not be collected. */
export async function subscriptionUnpaid(uow: UnitOfWork, invoice: Stored<'invoice'>): Promise<void> {
  await moveSubscription(uow, invoice, ['active'], 'past_due');
}

async function moveSubscription(
  uow: UnitOfWork,
  invoice: Stored<'invoice'>,
  from: readonly SubscriptionBody['status'][],
  to: SubscriptionBody['status'],
): Promise<void> {
  if (invoice.parentId === null) return;
  const subscription = await uow.lock('subscription', invoice.parentId);
  const { status, latest_invoice: latest } = subscription.body;
  if (!from.includes(status) || latest !== invoice.body.id) return;
  subscription.body.status = to;
  uow.save(subscription);
  uow.emit('customer.subscription.updated', subscription.body, { status });
}
