import { describe, expect, it } from '@jest/globals';

import type { DeclineSignals } from '../recovery/facts.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { foreignCharges, type Telling } from './seen-charges.js';

const ACCEPTED = new Date('2026-11-21T09:30:00.000Z');
const EARLIER = '2026-11-20T08:00:00.000Z';
const FAILED = new Date('2026-11-21T09:00:00.000Z');
const SIGNALS: DeclineSignals = { ...NO_SIGNALS, networkDeclineCode: '51', networkAdviceCode: '03' };

const recovery = (known: Partial<Telling>): Telling => ({
  clientId: 'cli_1',
  debtName: 'inv_42',
  cardFingerprint: 'fp_1',
  tokenHash: Buffer.from('token'),
  amountRequestedMinor: 2_500,
  currency: 'USD',
  priorAttempts: [],
  lastAttemptAt: null,
  originalSignals: null,
  createdAt: ACCEPTED,
  hints: {},
  card: null,
  ...known,
});

const told = (known: Partial<Telling>) =>
  foreignCharges(recovery(known)).map(({ at, networkDeclineCode, networkAdviceCode }) => [
    at.toISOString(),
    networkDeclineCode,
    networkAdviceCode,
  ]);

describe('the charges that a request tells of', () => {
  it('none, where it names neither a time nor a code', () => {
    expect(told({})).toEqual([]);
  });

  it('the failed charge with its codes, at its own time', () => {
    expect(told({ lastAttemptAt: FAILED, originalSignals: SIGNALS })).toEqual([[FAILED.toISOString(), '51', '03']]);
  });

  it('a code without a time counts as just made', () => {
    expect(told({ originalSignals: SIGNALS })).toEqual([[ACCEPTED.toISOString(), '51', '03']]);
  });

  it('codes of a card that was replaced since say nothing of the new one', () => {
    const known = { lastAttemptAt: FAILED, originalSignals: SIGNALS, hints: { cardChanged: true as const } };
    expect(told(known)).toEqual([[FAILED.toISOString(), null, null]]);
  });

  it('the network’s own code, where it was sent as the decline code', () => {
    const sent = (brand: string) => ({
      lastAttemptAt: FAILED,
      originalSignals: { ...NO_SIGNALS, declineCode: '7', brand },
    });
    expect(told(sent('visa'))).toEqual([[FAILED.toISOString(), '07', null]]);
    expect(told(sent('discover'))).toEqual([[FAILED.toISOString(), null, null]]);
  });

  it('the network’s own code of a prior attempt, on the card’s network', () => {
    const priorAttempts = [{ at: EARLIER, declineCode: 'r0' }];
    expect(told({ priorAttempts, hints: { binPrefix: '424242' } })).toEqual([[EARLIER, 'R0', null]]);
    expect(told({ priorAttempts, hints: { binPrefix: '424242', cardChanged: true } })).toEqual([[EARLIER, null, null]]);
    expect(told({ priorAttempts })).toEqual([[EARLIER, null, null]]);
  });

  it('prior attempts, each once, and the failed charge not twice', () => {
    const prior = (at: string) => ({ at, declineCode: null });
    const priorAttempts = [prior(EARLIER), prior(EARLIER), prior(FAILED.toISOString())];
    expect(told({ lastAttemptAt: FAILED, priorAttempts })).toEqual([
      [EARLIER, null, null],
      [FAILED.toISOString(), null, null],
    ]);
  });
});
