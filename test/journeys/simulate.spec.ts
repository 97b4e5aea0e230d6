import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

import { DAY_MS, later, seen, World } from '../support/story.js';

interface Row {
  simulateOutcome: string;
  now: { http: number; status: string; state: string };
  /** Milliseconds to the second step, on the client's clock. */
  afterMs?: number;
  end: {
    event: string;
    state: string;
    trigger: string;
    endReason: string | null;
    advice: string;
    declineCode: string | null;
  };
}

const SUCCESS = {
  event: 'recovery.success',
  state: 'succeeded',
  endReason: null,
  advice: 'monitor',
  declineCode: null,
};
const SPENT = {
  ...{ event: 'recovery.failed', state: 'failed', endReason: 'exhausted', advice: 'request_card_update' },
  declineCode: 'generic_decline',
};
const QUEUED = { http: 202, status: 'queued', state: 'queued' };

const ROWS: Row[] = [
  {
    simulateOutcome: 'success',
    now: { http: 200, status: 'succeeded', state: 'succeeded' },
    end: { ...SUCCESS, trigger: 'initial' },
  },
  {
    simulateOutcome: 'failed',
    now: { http: 200, status: 'failed', state: 'failed' },
    end: { ...SPENT, trigger: 'initial' },
  },
  {
    simulateOutcome: 'blocked',
    now: { http: 403, status: 'blocked', state: 'blocked' },
    end: {
      ...{ event: 'recovery.blocked', state: 'blocked', endReason: 'never_charge', trigger: 'initial' },
      ...{ advice: 'manual_review', declineCode: 'fraudulent' },
    },
  },
  {
    simulateOutcome: 'queued_then_success',
    now: QUEUED,
    afterMs: DAY_MS,
    end: { ...SUCCESS, trigger: 'scheduled_retry' },
  },
  {
    simulateOutcome: 'queued_then_failed',
    now: QUEUED,
    afterMs: DAY_MS,
    end: { ...SPENT, trigger: 'scheduled_retry' },
  },
  {
    simulateOutcome: 'unknown_then_success',
    now: { http: 202, status: 'unknown', state: 'reconciling' },
    afterMs: 10_000,
    end: { ...SUCCESS, trigger: 'reconciliation' },
  },
];

let world: World;

beforeAll(async () => {
  world = await World.start();
});

afterAll(async () => {
  await world.stop();
});

describe('simulateOutcome', () => {
  it.each(ROWS)(
    '$simulateOutcome: both steps, and no charge at the gateway',
    async ({ simulateOutcome, now, afterMs, end }) => {
      const merchant = await world.merchant();
      const answer = await merchant.execute({ simulateOutcome });
      const { transactionId: id, createdAt } = answer.body;
      expect(seen(answer)).toMatchObject({ ...now, isSimulated: true, success: now.state === 'succeeded' });

      if (afterMs !== undefined) {
        if (now.state === 'queued') expectAbout(answer.body.scheduledFor, later(createdAt, afterMs));
        await merchant.advanceTo(later(createdAt, afterMs - 1_000));
        expect(await merchant.status(id)).toMatchObject({ state: now.state, trigger: null });
        expect(merchant.events(id)).toEqual([]);
        await merchant.advanceTo(later(createdAt, afterMs + 1_000));
      }
      expect(await merchant.event(id, end.event)).toMatchObject({
        ...{ final: true, isSimulated: true, endReason: end.endReason, trigger: end.trigger, willRetry: false },
        ...{ recommendedAction: end.advice, declineCode: end.declineCode },
      });
      expect(await merchant.status(id)).toMatchObject({
        state: end.state,
        endReason: end.endReason,
        trigger: end.trigger,
      });
      expect(merchant.events(id)).toHaveLength(1);
      expect(await merchant.ledger()).toEqual([]);
    },
  );

  it('authentication_required: blocked at once, failed at the deadline', async () => {
    const merchant = await world.merchant();
    const answer = await merchant.execute({ simulateOutcome: 'authentication_required' });
    const { transactionId: id, deadlineAt } = answer.body;
    expect(seen(answer)).toMatchObject({ http: 403, status: 'blocked', state: 'action_required', action: 'blocked' });
    const authenticate = { recommendedAction: 'request_card_update', recommendedActionDetail: 'authenticate' };
    expect(await merchant.event(id, 'recovery.blocked')).toMatchObject({
      ...authenticate,
      final: false,
      isSimulated: true,
    });
    await merchant.advanceTo(later(deadlineAt, 1_000));
    expect(await merchant.event(id, 'recovery.failed')).toMatchObject({
      ...authenticate,
      endReason: 'not_authenticated',
    });
    expect(await merchant.ledger()).toEqual([]);
  });

  it.each(['failed', 'queued_then_failed'])('%s: has the code that was sent', async (simulateOutcome) => {
    const merchant = await world.merchant();
    const { body } = await merchant.execute({ simulateOutcome, originalDeclineCode: 'insufficient_funds' });
    await merchant.advanceTo(later(body.createdAt, 2 * DAY_MS));
    const event = await merchant.event(body.transactionId, 'recovery.failed');
    expect(event).toMatchObject({ declineCode: 'insufficient_funds', endReason: 'exhausted', isSimulated: true });
  });

  it('a simulated debt is a debt: open while queued, paid after success', async () => {
    const merchant = await world.merchant();
    const { body } = await merchant.execute({ reference: 'inv_1', simulateOutcome: 'queued_then_success' });
    expect(seen(await merchant.execute({ reference: 'inv_1' }))).toMatchObject({
      http: 409,
      code: 'recovery_already_open',
    });
    await merchant.advanceTo(String(body.scheduledFor));
    expect(seen(await merchant.execute({ reference: 'inv_1' }))).toMatchObject({
      http: 409,
      code: 'debt_already_paid',
    });
  });

  it('is refused on any other gateway, and nothing is stored', async () => {
    const merchant = await world.merchant({ gateway: { provider: 'stripe', secretKey: 'sk_test_nobody' } });
    const before = await world.rowCounts();
    const refused = await merchant.execute({ simulateOutcome: 'success' });
    expect(seen(refused)).toMatchObject({ http: 400, code: 'simulation_refused' });
    expect(refused.body.errors).toMatchObject([{ field: 'simulateOutcome', code: 'simulation_refused' }]);
    expect(await world.rowCounts()).toEqual(before);
  });
});

/** The clock is read more than once in a request: a few milliseconds are the same instant. */
function expectAbout(instant: string | null, expected: string): void {
  expect(Math.abs(new Date(instant ?? 0).getTime() - new Date(expected).getTime())).toBeLessThan(1_000);
}
