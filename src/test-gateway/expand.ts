import type { Kind } from './bodies.js';
import { loadInstrument } from './instruments.js';
import { invalidRequest } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

type Tree = Record<string, unknown>;

const KIND_BY_PREFIX: Record<string, Kind> = {
  cus: 'customer',
  pi: 'payment_intent',
  ch: 'charge',
  in: 'invoice',
  inpay: 'invoice_payment',
  re: 'refund',
  dp: 'dispute',
  seti: 'setup_intent',
  sub: 'subscription',
};

/** Parts that Stripe shows only to whoever asks for them, and how they are found. */
const INCLUDABLE: Record<string, (uow: UnitOfWork, owner: Tree) => Promise<unknown>> = {
  'invoice.payments': async (uow, owner) =>
    list(await uow.below('invoice_payment', String(owner.id)), `/v1/invoice_payments?invoice=${String(owner.id)}`),
  'invoice.confirmation_secret': async (uow, owner) => {
    const [part] = await uow.below('invoice_payment', String(owner.id));
    if (!part) return null;
    const payment = await uow.get('payment_intent', part.body.payment.payment_intent);
    return { client_secret: payment.body.client_secret, type: 'payment_intent' };
  },
  'charge.refunds': async (uow, owner) =>
    list(await uow.below('refund', String(owner.id)), `/v1/charges/${String(owner.id)}/refunds`),
};

/**
 * The answer with what `expand` asks for put in the place of ids, such as `latest_charge` or
 * `data.payments.data.payment.payment_intent`. The stored objects stay as they are.
 * @throws {StripeRefusal} 400 for a path that leads nowhere.
 */
export async function expanded(uow: UnitOfWork, body: object, paths: string[]): Promise<object> {
  if (paths.length === 0) return body;
  const copy = structuredClone(body) as Tree;
  // Shorter paths first, so that a longer one goes on inside what they put there.
  const inOrder = [...paths].sort((a, b) => a.length - b.length);
  for (const path of inOrder) await expandPath(uow, copy, path.split('.'), path);
  return copy;
}

async function expandPath(uow: UnitOfWork, node: Tree, steps: string[], path: string): Promise<void> {
  const [step = '', ...rest] = steps;
  const include = INCLUDABLE[`${String(node.object)}.${step}`];
  if (include && node[step] === undefined) node[step] = await include(uow, node);
  const value = node[step];
  if (value === undefined) {
    throw invalidRequest(`This property cannot be expanded (${step}). You may want to try expanding another one.`, {
      param: 'expand',
    });
  }
  if (typeof value === 'string') node[step] = await objectOf(uow, value, path);
  const reached = node[step];
  if (rest.length === 0 || reached === null) return;
  for (const next of Array.isArray(reached) ? reached : [reached]) {
    if (isTree(next)) await expandPath(uow, next, rest, path);
  }
}

async function objectOf(uow: UnitOfWork, id: string, path: string): Promise<object> {
  if (id.startsWith('pm_')) return structuredClone((await loadInstrument(uow, id, 'expand')).body);
  const kind = KIND_BY_PREFIX[id.slice(0, id.indexOf('_'))];
  if (!kind) throw invalidRequest(`This property cannot be expanded (${path}).`, { param: 'expand' });
  return structuredClone((await uow.get(kind, id, 'expand')).body);
}

function list(items: { body: object }[], url: string) {
  return { object: 'list', data: items.map(({ body }) => structuredClone(body)), has_more: false, url };
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null;
}
