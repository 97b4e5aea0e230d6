import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Answer } from '../support/api.js';
import { Cluster } from '../support/cluster.js';
import { type ExecuteBody, type Merchant, type StatusBody, unique } from '../support/merchant.js';
import type { ServiceProcess } from '../support/service-process.js';
import { later, MINUTE_MS, seen } from '../support/story.js';

/** A whole lease (12 s for a charge, 15 s for a delivery), and a little. */
const TAKEN_OVER_MS = 18_000;

let cluster: Cluster;

beforeAll(async () => {
  cluster = await Cluster.open();
});

afterAll(async () => {
  await cluster.close();
});

describe('a process that is killed in the middle of everything', () => {
  let before: ServiceProcess;
  let after: ServiceProcess;
  const stories = new Map<string, { merchant: Merchant; sent: Record<string, unknown>; body: ExecuteBody | null }>();

  /** Accepts a debt at the process that will be killed; `null` while its answer is still out. */
  async function begin(name: string, send: Record<string, unknown>): Promise<void> {
    const merchant = await cluster.merchant(before);
    const sent = merchant.request(send);
    stories.set(name, { merchant, sent, body: (await merchant.execute(sent)).body });
  }

  function story(name: string) {
    const found = stories.get(name);
    if (!found) throw new Error(`no story is called ${name}`);
    return { ...found, merchant: found.merchant.at(after.url), id: String(found.body?.transactionId) };
  }

  beforeAll(async () => {
    before = await cluster.start();
    await begin('queued', { originalDeclineCode: 'insufficient_funds' });
    await begin('declined', { paymentMethodToken: 'pm_test_do_not_honor_x1' });
    await begin('reconciling', { paymentMethodToken: 'pm_test_fault_reset_after_charge' });
    await begin('not executed', { paymentMethodToken: 'pm_test_fault_reset_before_charge' });
    await begin('at the bank', { paymentMethodToken: 'pm_test_processing' });
    await begin('authentication', { originalDeclineCode: 'authentication_required' });
    await begin('simulated', { simulateOutcome: 'queued_then_success' });
    await begin('paid', {});
    const spent = { attemptsMax: 1 };
    await begin('held', { paymentMethodToken: 'pm_test_do_not_honor', policy: spent });
    await beginOnTheWire();
    await beginWithReceiverDown();
    await before.kill();
    after = await cluster.start();
  }, 120_000);

  /** A charge whose answer the gateway holds back, cut off by the kill; its caller sees the connection break. */
  async function beginOnTheWire(): Promise<void> {
    const merchant = await cluster.merchant(before);
    const sent = merchant.request({ paymentMethodToken: 'pm_test_fault_timeout_after_charge' });
    stories.set('on the wire', { merchant, sent, body: null });
    void merchant.execute(sent).catch(() => null);
    for (let look = 0; (await merchant.ledger()).length === 0; look += 1) {
      if (look === 200) throw new Error('no charge was made');
      await sleep(20);
    }
  }

  async function beginWithReceiverDown(): Promise<void> {
    const merchant = await cluster.merchant(before);
    cluster.receiver.answer(merchant.account.mailbox, { status: 500 });
    const sent = merchant.request();
    stories.set('undelivered', { merchant, sent, body: (await merchant.execute(sent)).body });
    await cluster.receiver.waitFor(({ path }) => path === merchant.account.mailbox);
  }

  it('keeps every answer, byte for byte', async () => {
    for (const [name, { body }] of stories) {
      if (!body) continue;
      const { merchant, sent } = story(name);
      const replay = await merchant.execute(sent);
      expect(replay.headers['idempotent-replayed']).toBe('true');
      expect([name, replay.body]).toEqual([name, body]);
    }
  });

  it('on the wire: in flight until its lease is over, then settled by reading, and charged once', async () => {
    const { merchant, sent } = story('on the wire');
    const stored = await untilTakenOver(merchant, sent);
    // As it stood at that moment: settled by the first look, or waiting for the next.
    expect([200, 202]).toContain(stored.status);
    const { transactionId: id, createdAt } = stored.body;
    await merchant.advanceTo(later(createdAt, 10 * MINUTE_MS));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'reconciliation' });
    expect((await merchant.ledger()).map(({ status }) => status)).toEqual(['succeeded']);
    expect((await merchant.execute(sent)).bytes).toEqual(stored.bytes);
  });

  it.each(['queued', 'declined', 'simulated'])('%s: charged when due', async (name) => {
    const { merchant, id, body } = story(name);
    await merchant.advanceTo(String(body?.scheduledFor));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'scheduled_retry' });
    expect(await merchant.status(id)).toMatchObject({ state: 'succeeded' });
  });

  it.each(['reconciling', 'not executed'])('%s: settled, and charged once', async (name) => {
    const { merchant, id, body } = story(name);
    await merchant.advanceTo(later(String(body?.createdAt), 10 * MINUTE_MS));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'reconciliation' });
    expect((await merchant.ledger()).map(({ status }) => status)).toEqual(['succeeded']);
  });

  it('at the bank: collected when the bank has paid', async () => {
    const { merchant, id, body } = story('at the bank');
    await merchant.advanceTo(later(String(body?.createdAt), 5 * 24 * 60 * MINUTE_MS));
    expect(await merchant.event(id, 'recovery.success')).toMatchObject({ trigger: 'reconciliation' });
  });

  it('authentication: still waited for, failed at the deadline', async () => {
    const { merchant, id, body } = story('authentication');
    await merchant.advanceTo(later(String(body?.deadlineAt), MINUTE_MS));
    expect(await merchant.event(id, 'recovery.failed')).toMatchObject({ endReason: 'not_authenticated' });
  });

  it('held: sent when the hold is over, and not before', async () => {
    const { merchant, id, body } = story('held');
    expect(body?.state).toBe('failed');
    await merchant.advanceTo(later(String(body?.updatedAt), 29 * MINUTE_MS));
    expect(merchant.events(id)).toEqual([]);
    await merchant.advanceTo(later(String(body?.updatedAt), 31 * MINUTE_MS));
    expect(await merchant.event(id, 'recovery.failed')).toMatchObject({ endReason: 'exhausted' });
  });

  it('paid: told once, and the debt stays paid', async () => {
    const { merchant, id, sent } = story('paid');
    await merchant.event(id, 'recovery.success');
    const again = await merchant.execute({ reference: sent.reference });
    expect(seen(again)).toMatchObject({ http: 409, code: 'debt_already_paid' });
    expect(await merchant.ledger()).toHaveLength(1);
  });

  it('undelivered: the other process sends the same bytes under the same id', async () => {
    const { merchant } = story('undelivered');
    const { mailbox } = merchant.account;
    const [first, second] = await cluster.receiver.waitFor(({ path }) => path === mailbox, 2, 2 * TAKEN_OVER_MS);
    expect(first?.answeredWith).toBe(500);
    expect(second?.answeredWith).toBe(200);
    expect(second?.bytes).toEqual(first?.bytes);
    expect(second?.headers['webhook-id']).toBe(first?.headers['webhook-id']);
    expect(second?.headers['x-revtain-sequence']).toBe('1');
  });

  async function untilTakenOver(merchant: Merchant, sent: Record<string, unknown>): Promise<Answer<ExecuteBody>> {
    for (let waitedMs = 0; waitedMs <= TAKEN_OVER_MS; waitedMs += 250) {
      const answer = await merchant.execute(sent);
      if (answer.status !== 409) return answer;
      expect(answer.body.code).toBe('idempotency_in_flight');
      await sleep(250);
    }
    throw new Error('the call was not taken over');
  }
});

describe('a process that is asked to stop', () => {
  it('finishes the charge on the wire, answers its caller, and exits 0', async () => {
    const asked = await cluster.start({ REVTAIN_GATEWAY_TIMEOUT_MS: '2500' });
    const merchant = await cluster.merchant(asked);
    const key = unique('key');
    const sent = { idempotencyKey: key, paymentMethodToken: 'pm_test_fault_timeout_after_charge' };
    const executed = merchant.execute(sent);
    while ((await merchant.ledger()).length === 0) await sleep(20);
    const exitCode = await asked.terminate();
    const answer = await executed;
    expect(seen(answer)).toMatchObject({ http: 202, status: 'unknown' });
    expect(exitCode).toBe(0);

    const next = await cluster.start();
    const resumed = merchant.at(next.url);
    const found = await resumed.api.get<StatusBody>(`/api/recovery/status?idempotencyKey=${key}`);
    expect(found.body.transactionId).toBe(answer.body.transactionId);
    // Ten seconds after the loss comes the first look, which a slow start may have come after.
    expect(['reconciling', 'succeeded']).toContain(found.body.state);
    await resumed.advanceTo(later(answer.body.createdAt, 10 * MINUTE_MS));
    await resumed.event(answer.body.transactionId, 'recovery.success');
    expect(await resumed.ledger()).toHaveLength(1);
  }, 60_000);
});

describe('a clock that is walked', () => {
  it('stands for as long as the walk takes, and is free within a lease when its process was killed', async () => {
    const [walking, other] = await Promise.all([cluster.start(), cluster.start()]);
    const merchant = await cluster.merchant(walking);
    // The gateway keeps this retry waiting for 20 s: longer than a lease that nobody renews.
    const hangs = { paymentMethodToken: 'pm_test_fault_timeout_before_charge' };
    const { body } = await merchant.execute({ ...hangs, originalDeclineCode: 'insufficient_funds' });
    const advanceTo = later(String(body.scheduledFor), MINUTE_MS);
    const walk = (at: ServiceProcess) => merchant.at(at.url).api.post('/api/sandbox/clock', { advanceTo });
    const cutOff = walk(walking).catch(() => null);
    await sleep(15_000);
    expect(seen(await walk(other))).toMatchObject({ http: 409, code: 'clock_moving' });

    await walking.kill();
    await cutOff;
    const killedAtMs = Date.now();
    let askedAtMs = killedAtMs;
    let answer = await walk(other);
    while (answer.status === 409 && askedAtMs - killedAtMs < TAKEN_OVER_MS) {
      await sleep(250);
      askedAtMs = Date.now();
      answer = await walk(other);
    }
    expect(seen(answer)).toMatchObject({ http: 200, now: new Date(advanceTo).toISOString() });
    expect(askedAtMs - killedAtMs).toBeLessThan(15_000);
    await merchant.at(other.url).event(body.transactionId, 'recovery.success');
    expect((await merchant.at(other.url).ledger()).map(({ status }) => status)).toEqual(['succeeded']);
  }, 120_000);
});
