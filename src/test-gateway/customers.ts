import type { CustomerBody } from './bodies.js';
import type { Call } from './call.js';
import { loadInstrument } from './instruments.js';
import type { Params } from './params.js';
import { attachTo } from './payment-methods.js';
import { ok, type Reply } from './reply.js';
import type { UnitOfWork } from './unit-of-work.js';

/** A customer without anything. */
export function customerBody(id: string, created: number): CustomerBody {
  return {
    id,
    object: 'customer',
    address: null,
    balance: 0,
    created,
    currency: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    phone: null,
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}

/** POST /v1/customers */
export async function createCustomer({ uow, params }: Call): Promise<Reply> {
  const body = customerBody(uow.newId('cus'), uow.nowSeconds);
  const method = params.filled('payment_method');
  await applyCustomerParams(uow, body, params);
  params.refuseUnknown();
  uow.create('customer', body);
  uow.emit('customer.created', body);
  if (method !== undefined) await attachTo(uow, method, body.id);
  return ok(body);
}

/** POST /v1/customers/{id} */
export async function updateCustomer({ uow, params, id }: Call): Promise<Reply> {
  const customer = await uow.lock('customer', id);
  await applyCustomerParams(uow, customer.body, params);
  params.refuseUnknown();
  uow.save(customer);
  uow.emit('customer.updated', customer.body);
  return ok(customer.body);
}

async function applyCustomerParams(uow: UnitOfWork, body: CustomerBody, params: Params): Promise<void> {
  for (const field of ['description', 'email', 'name', 'phone'] as const) {
    if (params.has(field)) body[field] = params.filled(field) ?? null;
  }
  body.metadata = params.metadata(body.metadata);
  params.ignore('address', 'shipping', 'preferred_locales', 'tax_exempt', 'test_clock');
  const settings = params.child('invoice_settings');
  const method = settings?.text('default_payment_method');
  if (method === undefined) return;
  const chosen =
    method === '' ? null : (await loadInstrument(uow, method, 'invoice_settings[default_payment_method]')).body.id;
  body.invoice_settings.default_payment_method = chosen;
}
