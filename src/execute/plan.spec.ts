import { describe, expect, it } from '@jest/globals';
import { randomBytes } from 'node:crypto';

import type { ClientSettings } from '../clients/client-settings.js';
import { Vault } from '../platform/crypto/vault.js';
import { SystemRandom } from '../platform/random.js';
import type { ExecuteRequest } from './execute-request.js';
import { newRecovery } from './new-recovery.js';
import { planRecovery } from './plan.js';

const NOW = new Date('2026-03-02T09:00:00.000Z'); // A Monday.
const vault = new Vault(randomBytes(32), [], new SystemRandom());
const CLIENT = {
  id: 'cli_1',
  gatewayProvider: 'test',
  livemode: false,
  isTest: true,
  timezone: 'UTC',
  billingCycleDay: null,
  defaultCurrency: 'USD',
  policy: {},
} as unknown as ClientSettings;

function plan(request: Partial<ExecuteRequest>) {
  const whole = { paymentMethodToken: 'pm_1', amount: 2500, ...request };
  const recovery = newRecovery('01J00000000000000000000000', CLIENT, whole, null, NOW, vault);
  return planRecovery(recovery, NOW, 30);
}

const days = (at: string) => Math.floor((new Date(at).getTime() - NOW.getTime()) / 86_400_000);

describe('planRecovery', () => {
  it('plans a charge in the request, three retries on mornings, and the event thirty minutes after the last', () => {
    const { firstStep, plan: steps } = plan({ originalDeclineCode: 'do_not_honor' });
    expect(firstStep).toBe('charge');
    expect(steps.map((each) => each.kind)).toEqual(['charge', 'charge', 'charge', 'charge', 'recovery.failed']);
    const [now, ...retries] = steps.slice(0, 4);
    expect(now?.at).toBe(NOW.toISOString());
    expect(retries.every((each) => each.at.includes('T10:00'))).toBe(true);
    const last = steps[3];
    const end = steps[4];
    expect(new Date(end?.at ?? 0).getTime() - new Date(last?.at ?? 0).getTime()).toBe(30 * 60_000);
  });

  it('queues insufficient funds to day three and never charges in the request', () => {
    const { firstStep, plan: steps } = plan({ originalDeclineCode: 'insufficient_funds' });
    expect(firstStep).toBe('queue');
    expect(days(steps[0]?.at ?? '')).toBeGreaterThanOrEqual(3);
    expect(steps.filter((each) => each.kind === 'charge')).toHaveLength(4);
  });

  it('waits for the network limit that the request itself tells is full', () => {
    const hourly = Array.from({ length: 16 }, (_, index) => ({
      at: new Date(NOW.getTime() - 20 * 86_400_000 - index * 3_600_000).toISOString(),
    }));
    const { plan: steps } = plan({ binPrefix: '424242', priorAttempts: hourly });
    // The oldest was no re-attempt; the next one leaves its thirty days ten days from now, less its fourteen hours.
    expect(days(steps[0]?.at ?? '')).toBeGreaterThanOrEqual(9);
    expect(steps[0]?.rule).toBe('network_limit:visa_reattempts_30d');
    expect(days(plan({ binPrefix: '424242', priorAttempts: hourly.slice(1) }).plan[0]?.at ?? '')).toBe(0);
  });

  it.each([
    ['no wait', {}, 'listed_code:insufficient_funds', 3],
    ["a network's wait beyond the slot", { originalNetworkAdviceCode: '30' }, 'network_wait', 10],
    ["a network's wait that ends before it", { originalNetworkAdviceCode: '25' }, 'listed_code:insufficient_funds', 3],
    ['a start of the merchant’s own', { policy: { notBefore: '2026-03-12T09:00:00.000Z' } }, 'not_before', 10],
  ])('names the rule that set the first instant: %s', (_, parts, name, day) => {
    const sent = { originalDeclineCode: 'insufficient_funds', binPrefix: '555555', ...parts };
    const planned = plan(sent);
    expect(planned).toMatchObject({ firstStep: 'queue', rule: name });
    expect(planned.plan[0]).toMatchObject({ kind: 'charge', rule: name });
    expect(days(planned.plan[0]?.at ?? '')).toBeGreaterThanOrEqual(day);
  });

  it('ends a hard decline at once, unheld', () => {
    const { plan: steps } = plan({ originalDeclineCode: 'expired_card' });
    expect(steps).toEqual([
      { at: NOW.toISOString(), kind: 'recovery.failed', reason: 'hard_decline', rule: expect.any(String) },
    ]);
  });

  it('holds the event of a soft decline that leaves no time for any charge, as it is held when it is sent', () => {
    const deadlineAt = new Date(NOW.getTime() + 50 * 60_000).toISOString();
    const { firstStep, plan: steps } = plan({ originalDeclineCode: 'insufficient_funds', policy: { deadlineAt } });
    expect(firstStep).toBe('fail');
    const at = new Date(NOW.getTime() + 30 * 60_000).toISOString();
    expect(steps).toEqual([
      { at, kind: 'recovery.failed', reason: 'exhausted, held 30 minutes', rule: 'nothing_fits' },
    ]);
  });

  it('charges the consented fallback after a hard decline', () => {
    const { firstStep, plan: steps } = plan({
      originalDeclineCode: 'expired_card',
      fallbackPaymentMethodTokens: ['pm_2'],
      fallbackConsent: true,
    });
    expect(firstStep).toBe('charge');
    expect(steps[0]).toMatchObject({ kind: 'charge', at: NOW.toISOString() });
  });

  it('charges each consented fallback token once', () => {
    const tokens = { fallbackPaymentMethodTokens: ['pm_2', 'pm_3'], fallbackConsent: true };
    const { plan: steps } = plan({ originalDeclineCode: 'expired_card', ...tokens });
    expect(steps.map((each) => [each.kind, each.reason])).toEqual([
      ['charge', 'in the request'],
      ['charge', 'fallback token'],
      ['recovery.failed', 'hard_decline'],
    ]);
  });

  it('gives the reason of each instant: its slot, and what moved it', () => {
    const { plan: steps } = plan({ originalDeclineCode: 'insufficient_funds' });
    expect(steps.map((each) => each.reason)).toEqual([
      'scheduled: slot 2026-03-05T09:00:00.000Z, local hour 2026-03-05T10:00:00.000Z, payday 2026-03-06T10:00:00.000Z',
      'scheduled: slot 2026-03-09T09:00:00.000Z, local hour 2026-03-09T10:00:00.000Z, payday 2026-03-13T10:00:00.000Z',
      'scheduled: slot 2026-03-14T09:00:00.000Z, local hour 2026-03-14T10:00:00.000Z, payday 2026-03-15T10:00:00.000Z',
      'scheduled: slot 2026-03-20T09:00:00.000Z, local hour 2026-03-20T10:00:00.000Z',
      'exhausted, held 30 minutes',
    ]);
  });

  it('looks first where the first charge may have gone through, and then still waits for what holds it back', () => {
    const looked = plan({ originalDeclineCode: 'gateway_timeout' });
    expect(looked.firstStep).toBe('look_then_charge');
    expect(looked.plan[0]).toMatchObject({ at: NOW.toISOString(), reason: 'in the request, after the look' });
    const notBefore = '2026-03-12T09:00:00.000Z';
    const waiting = plan({ originalDeclineCode: 'gateway_timeout', policy: { notBefore } });
    expect(waiting).toMatchObject({ firstStep: 'look_then_charge', rule: 'look_first:gateway_timeout' });
    expect(waiting.plan[0]).toMatchObject({ at: '2026-03-12T10:00:00.000Z', rule: 'not_before' });
    expect(waiting.plan[0]?.reason).toMatch(/^scheduled: slot .+, after the look$/);
  });

  it('tells both ends of a look that charges nothing', () => {
    const reason = 'possibly_paid, else configuration, after the look';
    expect(plan({ originalDeclineCode: 'duplicate_transaction' }).plan).toMatchObject([{ reason }]);
  });

  it('warns that a simulated outcome would charge nothing', () => {
    expect(plan({ simulateOutcome: 'failed' }).warnings.join(' ')).toContain('charge nothing');
    expect(plan({}).warnings.join(' ')).not.toContain('simulate');
  });

  it('tells the event of the forced failure at once, as it is sent: amount 44 is never held', () => {
    const { plan: steps } = plan({ amount: 44 });
    expect(steps).toEqual([
      { at: NOW.toISOString(), kind: 'charge', reason: 'in the request', rule: expect.any(String) },
      { at: NOW.toISOString(), kind: 'recovery.failed', reason: 'exhausted', rule: expect.any(String) },
    ]);
  });

  it.each([
    ['stolen_card', 'block'],
    ['fraudulent', 'block'],
    ['authentication_required', 'authenticate'],
  ])('charges nothing after %s and says so', (originalDeclineCode, firstStep) => {
    const planned = plan({ originalDeclineCode });
    expect(planned.firstStep).toBe(firstStep);
    expect(planned.plan).toEqual([]);
    expect(planned.warnings.join(' ')).toContain('403');
  });
});
