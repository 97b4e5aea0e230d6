import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import { app as handler, mails } from '../contract/fixtures/guide-handler.mjs';
import { Api } from '../support/api.js';
import { startTestApp, type TestApp, type TestClient } from '../support/app.js';

// Of the handler as the guide prints it, so that nobody mends the fixture in place of the product.
const GUIDE_SHA256 = 'e462db0f9fe6f9ab2302a4dfde3cb7d5656f97cdb54de3644cb013bf93d2e848';

interface Executed extends Record<string, unknown> {
  transactionId: string;
  state: string;
}

describe("the handler of Revtain's guide, behind express", () => {
  let app: TestApp;
  let merchant: Server;
  let client: TestClient;
  let api: Api;
  let debts = 0;

  beforeAll(async () => {
    app = await startTestApp();
    merchant = createServer((request, response) => void handler(request, response));
    await new Promise<void>((resolve) => merchant.listen(0, '127.0.0.1', resolve));
    const { port } = merchant.address() as AddressInfo;
    client = await app.createClient({ webhookUrl: `http://127.0.0.1:${port}/webhooks/revtain` });
    process.env['REVTAIN_WEBHOOK_SECRET'] = client.webhookSigningSecret ?? '';
    api = new Api(app.url, { 'x-api-key': client.apiKey });
  });
  beforeEach(() => {
    mails.length = 0;
  });
  afterAll(async () => {
    await app.stop();
    merchant.closeAllConnections();
    await new Promise((resolve) => merchant.close(resolve));
  });

  async function execute(request: Record<string, unknown>): Promise<Executed> {
    debts += 1;
    const named = { reference: `inv_${debts}`, idempotencyKey: `key_${debts}` };
    const body = { paymentMethodToken: 'pm_card_visa', amount: 2_500, currency: 'USD', ...named, ...request };
    return (await api.post<Executed>('/api/recovery/execute', body)).body;
  }

  let walkedTo = Date.now();
  async function advance(days: number): Promise<void> {
    walkedTo += days * 86_400_000;
    await api.post('/api/sandbox/clock', { advanceTo: new Date(walkedTo).toISOString() });
  }

  /** Waits until nothing is on its way any more, and tells how each delivery of a recovery ended. */
  async function settled(transactionId: string): Promise<string[]> {
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
      const { body } = await api.get<{ data: { event: string; status: string; lastStatus: number | null }[] }>(
        `/api/webhook-deliveries?transactionId=${transactionId}`,
      );
      const deliveries = body.data;
      if (deliveries.length > 0 && deliveries.every(({ status }) => status !== 'pending')) {
        return deliveries.map(({ event, status, lastStatus }) => `${event} ${status} ${lastStatus}`);
      }
      await sleep(20);
    }
    throw new Error('the deliveries did not come to an end');
  }

  it('is the text of the guide, unchanged', () => {
    const file = readFileSync(new URL('../contract/fixtures/guide-handler.mjs', import.meta.url), 'utf8');
    const text = /--- the guide's text begins ---\n([^]*)\/\/ --- the guide's text ends ---/.exec(file)?.[1];
    expect(
      createHash('sha256')
        .update(text ?? '')
        .digest('hex'),
    ).toBe(GUIDE_SHA256);
  });

  it('mails the customer once when a card has expired', async () => {
    const { transactionId } = await execute({ originalDeclineCode: 'expired_card', amount: 4_200 });
    expect(await settled(transactionId)).toEqual(['recovery.failed delivered 200']);
    expect(mails).toEqual([
      {
        from: 'billing@yourdomain.com',
        to: 'jane@customer.example',
        template: 'payment-failed',
        vars: { updateUrl: `https://billing.yourdomain.com/${transactionId}`, amount: 4_200 },
      },
    ]);
  });

  it('mails once, and only at the end, when every retry was spent', async () => {
    const { transactionId, state } = await execute({ paymentMethodToken: 'pm_test_do_not_honor' });
    expect(state).toBe('queued');
    await sleep(100);
    expect(mails).toEqual([]);
    await advance(40);
    expect(await settled(transactionId)).toEqual(['recovery.failed delivered 200']);
    expect(mails.map(({ vars }) => vars.updateUrl)).toEqual([`https://billing.yourdomain.com/${transactionId}`]);
  });

  it('mails nobody about a payment that succeeds, at once or by a retry', async () => {
    const now = await execute({});
    expect(await settled(now.transactionId)).toEqual(['recovery.success delivered 200']);
    const later = await execute({ originalDeclineCode: 'insufficient_funds' });
    await advance(40);
    expect(await settled(later.transactionId)).toEqual(['recovery.success delivered 200']);
    expect(mails).toEqual([]);
  });

  it('mails nobody where the account needs a look', async () => {
    const { transactionId } = await execute({ originalDeclineCode: 'invalid_amount' });
    expect(await settled(transactionId)).toEqual(['recovery.failed delivered 200']);
    expect(mails).toEqual([]);
  });

  it('refuses what is not signed with its secret, and mails nobody', async () => {
    process.env['REVTAIN_WEBHOOK_SECRET'] = 'whsec_another';
    const { transactionId } = await execute({ originalDeclineCode: 'expired_card' });
    for (let waitedMs = 0; waitedMs < 5_000; waitedMs += 20) {
      const { body } = await api.get<{ data: { lastStatus: number | null }[] }>(
        `/api/webhook-deliveries?transactionId=${transactionId}`,
      );
      if (body.data[0]?.lastStatus === 401) break;
      await sleep(20);
    }
    expect(mails).toEqual([]);
    // The next try finds the right secret again: one failure, one mail.
    process.env['REVTAIN_WEBHOOK_SECRET'] = client.webhookSigningSecret ?? '';
    expect(await settled(transactionId)).toEqual(['recovery.failed delivered 200']);
    expect(mails).toHaveLength(1);
  });
});
