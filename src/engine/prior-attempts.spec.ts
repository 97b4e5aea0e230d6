import { describe, expect, it } from '@jest/globals';

import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { withPriorCode } from './prior-attempts.js';

const prior = (at: string, declineCode: string | null) => ({ at: `2026-11-${at}T10:00:00.000Z`, declineCode });
const told = (priorAttempts: { at: string; declineCode: string | null }[]) => ({
  originalSignals: null,
  priorAttempts,
  card: null,
});

describe('the code of the newest prior attempt', () => {
  it.each([
    ['the newest, whatever their order', [prior('03', 'stolen_card'), prior('01', 'do_not_honor')], 'stolen_card'],
    ['the newest, the list’s last', [prior('01', 'stolen_card'), prior('03', 'do_not_honor')], 'do_not_honor'],
    ['the newest that names a code', [prior('01', 'expired_card'), prior('02', null)], 'expired_card'],
    ['the later in the list of two at once', [prior('01', 'expired_card'), prior('01', 'lost_card')], 'lost_card'],
  ])('is %s', (_, attempts, declineCode) => {
    const { originalSignals } = withPriorCode(told(attempts));
    expect(originalSignals).toEqual({ ...NO_SIGNALS, declineCode });
  });

  it.each([[[]], [[prior('01', null)]]])('is none where none is named: %j', (attempts) => {
    expect(withPriorCode(told(attempts)).originalSignals).toBeNull();
  });

  it('says nothing beside what the request or the gateway said of the failed charge', () => {
    const originalSignals = { ...NO_SIGNALS, networkDeclineCode: '51' };
    const recovery = { ...told([prior('03', 'stolen_card')]), originalSignals };
    expect(withPriorCode(recovery)).toBe(recovery);
  });

  it('is read with the brand of the card, where it is known', () => {
    const card = { brand: 'visa', last4: null, fingerprint: null, country: null, expMonth: null, expYear: null };
    const { originalSignals } = withPriorCode({ ...told([prior('01', '43')]), card });
    expect(originalSignals).toEqual({ ...NO_SIGNALS, declineCode: '43', brand: 'visa' });
  });
});
