import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, it } from '@jest/globals';

import { findDeclineRow, TABLES } from '../../recovery/tables.js';
import { STRIPE_API_VERSION } from './client.js';
import {
  CHARGE_ROWS,
  chargeStatus,
  INVOICE_ROWS,
  invoiceRow,
  PAYMENT_ROWS,
  paymentRow,
  REQUIRES_ACTION_CODES,
} from './status-table.js';

const SDK = join(process.cwd(), 'node_modules/stripe/esm');

/** The string literals of `type <name> = 'a' | 'b' | …;` where it is declared inside `namespace <space>`. */
function literals(file: string, space: string, name: string): string[] {
  const text = readFileSync(join(SDK, 'resources', file), 'utf8');
  const start = text.search(new RegExp(`namespace ${space} \\{`));
  const declared = new RegExp(`type ${name} = ([^;]+);`).exec(text.slice(start));
  const found = [...(declared?.[1] ?? '').matchAll(/'([^']+)'/g)].map((match) => match[1] ?? '');
  if (start < 0 || found.length === 0) throw new Error(`The SDK's types hold no ${space}.${name} any more.`);
  return found;
}

describe('the status table knows what the SDK knows', () => {
  it('every PaymentIntent status, and none besides', () => {
    expect(Object.keys(PAYMENT_ROWS).sort()).toEqual(literals('PaymentIntents.d.ts', 'PaymentIntent', 'Status').sort());
  });

  it('every Invoice status, and none besides', () => {
    expect(Object.keys(INVOICE_ROWS).sort()).toEqual(literals('Invoices.d.ts', 'Invoice', 'Status').sort());
  });

  it('every Charge status, and none besides', () => {
    expect(Object.keys(CHARGE_ROWS).sort()).toEqual(literals('Charges.d.ts', 'Charge', 'Status').sort());
  });

  it('every error code of a payment', () => {
    const codes = literals('PaymentIntents.d.ts', 'LastPaymentError', 'Code');
    expect(codes.length).toBeGreaterThan(200);
    expect(codes.filter((code) => !TABLES.declines.has(`error_code:${code}`))).toEqual([]);
  });

  it('the API version that the SDK was made for', () => {
    expect(readFileSync(join(SDK, 'apiVersion.js'), 'utf8')).toContain(`'${STRIPE_API_VERSION}'`);
  });
});

describe('the status table', () => {
  it.each(['partially_funded', '', '__proto__', 'constructor'])(
    'reads the strange status "%s" as unmapped',
    (status) => {
      expect(paymentRow(status)).toEqual({ status: 'unmapped', charge: 'look', adoptable: false });
      expect(invoiceRow(status)).toEqual({ status: 'unmapped', charge: 'look' });
      expect(chargeStatus(status)).toBe('pending');
    },
  );

  it('takes an invoice without status for unmapped', () => {
    expect(invoiceRow(null).status).toBe('unmapped');
  });

  it('lets only those be adopted that still need a payment method or a confirmation', () => {
    const adoptable = Object.values(PAYMENT_ROWS).filter((row) => row.adoptable);
    expect(adoptable.map(({ status }) => status)).toEqual(['requires_payment_method', 'requires_confirmation']);
  });

  it('treats as "the customer must act" only codes that the decline table calls authentication', () => {
    for (const code of REQUIRES_ACTION_CODES) {
      expect(findDeclineRow(code, 'error_code')?.bucket).toBe('authentication');
    }
  });
});

describe('the room of the Stripe gateway', () => {
  it('holds no call that gives money back, voids an invoice or captures a held amount', async () => {
    const { readdir } = await import('node:fs/promises');
    const room = join(process.cwd(), 'src/gateways');
    const files = (await readdir(room, { recursive: true })).filter((name) => /(?<!\.spec)\.ts$/.test(name));
    expect(files.length).toBeGreaterThan(8);
    const forbidden = /refunds\s*\.|voidInvoice|markUncollectible|creditNotes|paid_out_of_band|\.capture\(|rawRequest/;
    const guilty = files.filter((name) => forbidden.test(readFileSync(join(room, name), 'utf8')));
    expect(guilty).toEqual([]);
  });
});
