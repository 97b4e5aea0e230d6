import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';

import type { Answer } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { type ExecuteBody, type Merchant, unique } from '../support/merchant.js';
import type { ServiceProcess } from '../support/service-process.js';
import { DAY_MS, later } from '../support/story.js';

let cluster: Cluster;
let processes: ServiceProcess[];
let merchant: Merchant;

beforeAll(async () => {
  cluster = await Cluster.open();
  processes = await Promise.all([cluster.start(), cluster.start()]);
});

afterAll(async () => {
  await cluster.close();
});

beforeEach(async () => {
  merchant = await cluster.merchant(processes[0] as ServiceProcess);
});

/** So many calls at once, turn by turn to each of the processes. */
function inParallel(count: number, request: (call: number) => Record<string, unknown>): Promise<Answer<ExecuteBody>[]> {
  const callers = processes.map(({ url }) => merchant.at(url));
  const calls = Array.from({ length: count }, (_, call) => {
    const caller = callers[call % callers.length] as Merchant;
    return caller.execute(request(call));
  });
  return Promise.all(calls);
}

function codesOf(answers: Answer<ExecuteBody>[]): string[] {
  const told = answers.map(({ status, body }) => (status === 409 ? `409 ${String(body.code)}` : String(status)));
  return [...new Set(told)].sort();
}

describe('two processes on one database', () => {
  it.each([
    { title: 'a good card', send: { paymentMethodToken: 'pm_card_visa' }, status: 200 },
    { title: 'a declined card', send: { paymentMethodToken: 'pm_test_do_not_honor' }, status: 202 },
    { title: 'a lost reply', send: { paymentMethodToken: 'pm_test_fault_reset_after_charge' }, status: 202 },
  ])('100 parallel executes under one key make one recovery and one charge: $title', async ({ send, status }) => {
    const request = merchant.request(send);
    const answers = await inParallel(100, () => request);
    const answered = answers.filter((answer) => answer.status === status);
    expect(answered.length).toBeGreaterThan(0);
    expect(
      answers.filter((answer) => answer.status !== status).every(({ body }) => body.code === 'idempotency_in_flight'),
    ).toBe(true);
    expect(answered.filter(({ headers }) => headers['idempotent-replayed'] === undefined)).toHaveLength(1);
    for (const { url } of processes) {
      const replay = await merchant.at(url).execute(request);
      expect(replay.headers['idempotent-replayed']).toBe('true');
      for (const { bytes } of answered) expect(bytes.equals(replay.bytes)).toBe(true);
    }
    expect(await cluster.count('recoveries', merchant.clientId)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('50 parallel executes under keys of their own for one reference make one recovery and one charge', async () => {
    const reference = unique('inv');
    const answers = await inParallel(50, () => ({ reference }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    const refusals = codesOf(answers).filter((code) => code !== '200');
    const expected = ['409 debt_already_paid', '409 recovery_already_open', '409 velocity_duplicate'];
    expect(expected).toEqual(expect.arrayContaining(refusals));
    expect(await cluster.count('recoveries', merchant.clientId)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('50 parallel executes with other cards for one reference make one recovery and one charge', async () => {
    const reference = unique('inv');
    const answers = await inParallel(50, (call) => ({ reference, paymentMethodToken: `pm_card_visa__card_${call}` }));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(await cluster.count('recoveries', merchant.clientId)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('50 parallel executes of one card and amount without a reference make one recovery and one charge', async () => {
    const answers = await inParallel(50, () => ({ reference: undefined }));
    expect(codesOf(answers)).toEqual(['200', '409 velocity_duplicate']);
    expect(await cluster.count('recoveries', merchant.clientId)).toBe(1);
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('20 parallel retries and new cards for one recovery make one success', async () => {
    const { body } = await merchant.execute({ originalDeclineCode: 'expired_card' });
    const callers = processes.map(({ url }) => merchant.at(url));
    const calls = Array.from({ length: 20 }, (_, call) => {
      const caller = callers[call % callers.length] as Merchant;
      return call % 4 < 2 ? caller.retry(body.transactionId) : caller.payWith(body.transactionId, 'pm_card_mastercard');
    });
    const answers = await Promise.all(calls);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(codesOf(answers).filter((code) => code !== '200')).toEqual(['409 not_retryable']);
    expect(await merchant.ledger()).toMatchObject([{ status: 'succeeded' }]);
  });

  it('a cancel beside its own charge: either the money came, or nothing was charged', async () => {
    for (let round = 0; round < 8; round += 1) {
      const { body } = await merchant.execute({ originalDeclineCode: 'insufficient_funds', amount: 3_000 + round });
      const [first, second] = processes.map(({ url }) => merchant.at(url));
      const [retried, cancelled] = await Promise.all([
        first?.retry(body.transactionId),
        second?.cancel(body.transactionId, 'abandoned'),
      ]);
      const { state } = await merchant.status(body.transactionId);
      const charges = (await merchant.ledger(body.transactionId)).length;
      // Abandoned first, it may still be opened again by the retry; paid first, it can not be cancelled.
      expect(state === 'succeeded' ? charges : charges === 0 && state === 'cancelled').toBeTruthy();
      expect([200, 409]).toContain(cancelled?.status);
      expect(retried?.status).toBe(200);
    }
  });

  it('40 debts that fall due are each charged once, whichever process works them', async () => {
    const queued = await inParallel(40, (call) => ({
      originalDeclineCode: 'insufficient_funds',
      amount: 1_000 + call,
    }));
    expect(codesOf(queued)).toEqual(['202']);
    const [first, second] = processes.map(({ url }) => merchant.at(url));
    const dueAt = queued.map(({ body }) => String(body.scheduledFor)).sort();
    await first?.advanceTo(later(String(dueAt[0]), -1));
    await second?.advanceTo(later(String(dueAt.at(-1)), DAY_MS));
    const ledger = await merchant.ledger();
    expect(ledger).toHaveLength(40);
    expect(ledger.every(({ status }) => status === 'succeeded')).toBe(true);
    expect(new Set(ledger.map(({ revtainTransactionId }) => revtainTransactionId)).size).toBe(40);
    const success = ({ path, body }: { path: string; body: { event: string } }) =>
      path === merchant.account.mailbox && body.event === 'recovery.success';
    const told = await cluster.receiver.waitFor(success, 40);
    expect(new Set(told.map(({ body }) => body.revtainTransactionId)).size).toBe(40);
  });
});
