import type { Stored } from './bodies.js';
import type { Call } from './call.js';
import { checkedCurrency } from './currencies.js';
import { loadInstrument } from './instruments.js';
import { addLine, draftInvoiceBody } from './invoice-body.js';
import { ok, type Reply } from './reply.js';
import { invalidRequest, wrongState } from './stripe-refusal.js';
import type { UnitOfWork } from './unit-of-work.js';

/** POST /v1/invoices: a draft; waiting items of the customer come in where they are asked for. */
export async function createInvoice({ uow, params }: Call): Promise<Reply> {
  const customerId = params.required('customer');
  const method = params.filled('default_payment_method') ?? null;
  const items = params.oneOf('pending_invoice_items_behavior', ['include', 'exclude']) ?? 'exclude';
  params.ignore('days_until_due', 'due_date', 'footer', 'payment_settings', 'statement_descriptor');
  const wanted = {
    currency: checkedCurrency(params.filled('currency') ?? 'usd'),
    collectionMethod:
      params.oneOf('collection_method', ['charge_automatically', 'send_invoice']) ?? 'charge_automatically',
    autoAdvance: params.flag('auto_advance') ?? false,
    description: params.filled('description') ?? null,
    metadata: params.metadata({}),
  };
  params.refuseUnknown();
  const customer = await uow.get('customer', customerId, 'customer');
  if (method !== null) await loadInstrument(uow, method, 'default_payment_method');
  const body = draftInvoiceBody({
    ...wanted,
    id: uow.newId('in'),
    created: uow.nowSeconds,
    customer: customerId,
    customerEmail: customer.body.email,
    defaultPaymentMethod: method,
  });
  const invoice = uow.create('invoice', body);
  if (items === 'include') await takeWaitingItems(uow, invoice);
  uow.emit('invoice.created', body);
  return ok(body);
}

/** Items that wait hang below the customer; once taken they hang below the invoice. */
async function takeWaitingItems(uow: UnitOfWork, invoice: Stored<'invoice'>): Promise<void> {
  for (const item of await uow.below('invoiceitem', invoice.body.customer ?? '')) {
    if (item.body.currency !== invoice.body.currency) continue;
    addLine(invoice.body, uow.newId('il'), item.body.amount, item.body.description);
    item.body.invoice = invoice.body.id;
    item.parentId = invoice.body.id;
    uow.save(item);
  }
}

/** POST /v1/invoiceitems: a line of a draft, or an item that waits for the customer's next invoice. */
export async function createInvoiceItem({ uow, params }: Call): Promise<Reply> {
  const invoiceId = params.filled('invoice') ?? null;
  const amountMinor = params.requiredInteger('amount');
  const description = params.filled('description') ?? null;
  const metadata = params.metadata({});
  const given = { customer: params.filled('customer'), currency: params.filled('currency') };
  params.refuseUnknown();
  const invoice = invoiceId === null ? null : await lockDraft(uow, invoiceId, 'invoice');
  const customer = given.customer ?? invoice?.body.customer;
  if (customer === undefined || customer === null) {
    throw invalidRequest('Missing required param: customer.', { code: 'parameter_missing', param: 'customer' });
  }
  await uow.get('customer', customer, 'customer');
  const currency = checkedCurrency(given.currency ?? invoice?.body.currency ?? 'usd');
  if (invoice) {
    if (currency !== invoice.body.currency)
      throw invalidRequest('The currency must be the invoice’s.', { param: 'currency' });
    addLine(invoice.body, uow.newId('il'), amountMinor, description);
    uow.save(invoice);
    uow.emit('invoice.updated', invoice.body);
  }
  const now = uow.nowSeconds;
  const item = uow.create(
    'invoiceitem',
    {
      id: uow.newId('ii'),
      object: 'invoiceitem',
      amount: amountMinor,
      currency,
      customer,
      date: now,
      description,
      invoice: invoiceId,
      livemode: false,
      metadata,
      period: { start: now, end: now },
      proration: false,
      quantity: 1,
    },
    { parentId: invoiceId ?? customer },
  );
  uow.emit('invoiceitem.created', item.body);
  return ok(item.body);
}

/** POST /v1/invoices/{id}/add_lines */
export async function addInvoiceLines({ uow, params, id }: Call): Promise<Reply> {
  const lines = params.children('lines').map((line) => ({
    amountMinor: line.requiredInteger('amount'),
    description: line.filled('description') ?? null,
  }));
  params.refuseUnknown();
  const invoice = await lockDraft(uow, id);
  for (const line of lines) addLine(invoice.body, uow.newId('il'), line.amountMinor, line.description);
  uow.save(invoice);
  uow.emit('invoice.updated', invoice.body);
  return ok(invoice.body);
}

/** POST /v1/invoices/{id} */
export async function updateInvoice({ uow, params, id }: Call): Promise<Reply> {
  const invoice = await uow.lock('invoice', id);
  const { body } = invoice;
  body.metadata = params.metadata(body.metadata ?? {});
  body.auto_advance = params.flag('auto_advance') ?? body.auto_advance ?? false;
  if (params.has('description')) body.description = params.filled('description') ?? null;
  const method = params.filled('default_payment_method');
  if (method !== undefined)
    body.default_payment_method = (await loadInstrument(uow, method, 'default_payment_method')).body.id;
  params.refuseUnknown();
  uow.save(invoice);
  uow.emit('invoice.updated', body);
  return ok(body);
}

async function lockDraft(uow: UnitOfWork, id: string, param?: string): Promise<Stored<'invoice'>> {
  const invoice = await uow.lock('invoice', id, param);
  if (invoice.body.status === 'draft') return invoice;
  throw wrongState(`Invoice ${id} can no longer be edited: it is ${invoice.body.status}.`, {
    code: 'invoice_not_editable',
  });
}
