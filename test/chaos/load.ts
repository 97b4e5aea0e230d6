import { setTimeout as sleep } from 'node:timers/promises';

import { Agent, request } from 'undici';

import type { JsonObject } from '../support/api.js';
import { unique } from '../support/merchant.js';
import type { Seeded } from '../support/seeded.js';

const AGAIN_MS = 200;
/** A killed process answers nobody: its callers must not wait for it for ever. */
const agent = new Agent({ connections: 256, headersTimeout: 30_000, bodyTimeout: 30_000 });

export interface LoadMerchant {
  clientId: string;
  apiKey: string;
}

/** An execute that was answered: what the merchant may rely on from then on. */
export interface Acknowledged {
  clientId: string;
  reference: string;
  transactionId: string;
  status: number;
}

/** What the cards of the load do; most of it ends well, as most of it does in the world. */
const DEBTS: readonly JsonObject[] = [
  { paymentMethodToken: 'pm_card_visa' },
  { paymentMethodToken: 'pm_card_visa' },
  { paymentMethodToken: 'pm_card_mastercard', originalDeclineCode: 'insufficient_funds' },
  { paymentMethodToken: 'pm_test_do_not_honor_x1' },
  { paymentMethodToken: 'pm_test_insufficient_funds_x2' },
  { paymentMethodToken: 'pm_test_do_not_honor' },
  { paymentMethodToken: 'pm_card_chargeDeclinedExpiredCard' },
  { paymentMethodToken: 'pm_test_fraudulent' },
  { paymentMethodToken: 'pm_test_fault_reset_after_charge' },
  { paymentMethodToken: 'pm_test_fault_reset_before_charge' },
  { paymentMethodToken: 'pm_test_fault_500_before_charge' },
  { paymentMethodToken: 'pm_test_fault_500_after_charge' },
  { paymentMethodToken: 'pm_test_processing' },
];

/** Honest merchants: each call is repeated under its key, at any process, until it is answered. */
export class Load {
  readonly acknowledged: Acknowledged[] = [];
  /** Answers to one key that differ. */
  readonly contradictions: string[] = [];
  calls = 0;
  private running = true;

  constructor(
    private readonly merchants: readonly LoadMerchant[],
    private readonly doors: () => readonly string[],
    private readonly random: Seeded,
  ) {}

  /** So many merchants' clerks at once, each with one debt after the other. Resolves when `stop` was called and all is answered. */
  async run(clerks: number): Promise<void> {
    await Promise.all(Array.from({ length: clerks }, () => this.clerk()));
  }

  stop(): void {
    this.running = false;
  }

  private async clerk(): Promise<void> {
    while (this.running) {
      const merchant = this.random.pick(this.merchants);
      const reference = unique('inv');
      const debt = {
        ...this.random.pick(DEBTS),
        amount: 1_000 + this.random.below(90_000),
        currency: 'USD',
        reference,
      };
      const sent = { ...debt, idempotencyKey: unique('key') };
      const twice = this.random.fraction() < 0.2;
      const answers = await Promise.all(
        Array.from({ length: twice ? 2 : 1 }, () => this.untilAnswered(merchant, sent)),
      );
      if (new Set(answers.map(({ text }) => text)).size > 1)
        this.contradictions.push(answers.map(({ text }) => text).join(' | '));
      for (const { status, transactionId } of answers.slice(0, 1))
        this.acknowledged.push({ clientId: merchant.clientId, reference, transactionId, status });
    }
  }

  private async untilAnswered(merchant: LoadMerchant, sent: JsonObject) {
    for (;;) {
      const answer = await this.call(merchant, sent);
      if (answer && [200, 202, 403].includes(answer.status)) return answer;
      if (answer && answer.status !== 503 && answer.code !== 'idempotency_in_flight')
        throw new Error(`an execute was answered ${answer.status} ${answer.text}`);
      await sleep(AGAIN_MS);
    }
  }

  private async call({ apiKey }: LoadMerchant, sent: JsonObject) {
    this.calls += 1;
    try {
      const { statusCode, body } = await request(`${this.random.pick(this.doors())}/api/recovery/execute`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-api-key': apiKey },
        body: JSON.stringify(sent),
        dispatcher: agent,
      });
      const text = await body.text();
      const { code = '', transactionId = '' } = JSON.parse(text) as { code?: string; transactionId?: string };
      return { status: statusCode, text, code, transactionId };
    } catch {
      return null; // Killed in the middle of it: asked again.
    }
  }
}
