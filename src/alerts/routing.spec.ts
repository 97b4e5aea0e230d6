import { describe, expect, it } from '@jest/globals';

import type { AlertSettings } from '../clients/alert-settings.js';
import type { Channel } from './alert.js';
import { judgeSend } from './retry.js';
import { groupKeyOf, routesOf, rulesOf, usableFrom } from './routing.js';

const channels = (...written: string[]) =>
  written.map((text) => ({
    channel: text.replace('!', '') as Channel,
    missing: text.endsWith('!') ? ['SETTING'] : [],
  }));
const alert = (kind: string, severity: 'info' | 'warning' | 'critical' = 'warning', facts = {}) => ({
  kind,
  severity,
  facts,
});

describe('routesOf', () => {
  it.each<[string, ReturnType<typeof alert>, AlertSettings, string[], string[]]>([
    [
      'all channels but those that wake people',
      alert('late_success'),
      {},
      ['EMAIL', 'SMS', 'PAGERDUTY', 'SLACK'],
      ['EMAIL', 'SLACK'],
    ],
    ['all channels for what is critical', alert('paid_twice', 'critical'), {}, ['EMAIL', 'SMS'], ['EMAIL', 'SMS']],
    [
      'the channels that a kind names',
      alert('late_success'),
      { kinds: { late_success: { channels: ['SMS'] } } },
      ['EMAIL', 'SMS'],
      ['SMS'],
    ],
    [
      'nowhere what is off',
      alert('late_success', 'critical'),
      { kinds: { late_success: { mode: 'off' } } },
      ['EMAIL'],
      [],
    ],
    [
      'the usual ones, where the client has none of those that a kind names',
      alert('late_success'),
      { kinds: { late_success: { channels: ['SLACK'] } } },
      ['EMAIL', 'SMS'],
      ['EMAIL'],
    ],
    [
      'nowhere, where a kind names none',
      alert('late_success'),
      { kinds: { late_success: { channels: [] } } },
      ['EMAIL'],
      [],
    ],
    ['the next for one that lacks settings', alert('late_success'), {}, ['EMAIL!', 'SMS', 'SLACK'], ['SMS', 'SLACK']],
    ['the first again after the last', alert('late_success'), {}, ['SLACK', 'EMAIL!'], ['SLACK']],
    ['the one asked for, where none can be used', alert('late_success'), {}, ['EMAIL!'], ['EMAIL']],
    [
      'not to the channel it is about',
      alert('alert_channel_failing', 'warning', { channel: 'EMAIL' }),
      {},
      ['EMAIL', 'SLACK'],
      ['SLACK'],
    ],
    ['a kind that is newer than this process', alert('something_new'), {}, ['EMAIL'], ['EMAIL']],
  ])('%s', (_, each, settings, asked, expected) => {
    expect(routesOf(each, settings, channels(...asked)).map(({ channel }) => channel)).toEqual(expected);
  });

  it('says for whom a channel stands in', () => {
    expect(routesOf(alert('late_success'), {}, channels('EMAIL!', 'SMS'))).toEqual([
      { channel: 'SMS', standsInFor: ['EMAIL'] },
    ]);
    expect(usableFrom('EMAIL', channels('EMAIL', 'SMS!'), false)).toBeNull();
  });
});

describe('groupKeyOf', () => {
  it('groups by kind and by what it is about, or into the digest, but never what is critical', () => {
    const settings: AlertSettings = { kinds: { late_success: { mode: 'digest' } } };
    expect(groupKeyOf(alert('webhook_endpoint_failing', 'warning', { endpointId: 'we_1' }), settings)).toBe(
      'webhook_endpoint_failing:we_1',
    );
    expect(groupKeyOf(alert('late_success'), settings)).toBe('digest');
    expect(groupKeyOf(alert('late_success', 'critical'), settings)).toBe('late_success');
  });
});

describe('rulesOf', () => {
  it('keeps a quarter of the hour for what is critical', () => {
    expect(rulesOf('EMAIL', {}, null)).toMatchObject({ hourlyCap: 12, keptForCritical: 3, zone: 'UTC', digestHour: 8 });
    expect(rulesOf('SMS', {}, null)).toMatchObject({ hourlyCap: 2, keptForCritical: 1 });
    expect(rulesOf('SMS', { hourlyCaps: { SMS: 1 } }, null)).toMatchObject({ hourlyCap: 1, keptForCritical: 0 });
  });
});

describe('judgeSend', () => {
  const now = new Date('2026-11-21T12:00:00Z');
  const again = (afterMs: number | null = null) => ({ kind: 'try_again' as const, error: 'HTTP 503', afterMs });
  const waits = (tries: number, hasNext: boolean, afterMs: number | null = null) => {
    const verdict = judgeSend(again(afterMs), tries, hasNext, now);
    return verdict.kind === 'retry' ? verdict.nextTryAt.getTime() - now.getTime() : verdict.kind;
  };

  it('gives up for the next channel after four tries, and goes on for a day where there is none', () => {
    expect([1, 2, 3, 4].map((tries) => waits(tries, true))).toEqual([10_000, 60_000, 300_000, 'failed']);
    const alone = Array.from({ length: 10 }, (_, index) => waits(index + 1, false));
    expect(alone.at(-1)).toBe('failed');
    expect(alone.slice(0, 9).reduce<number>((sum, each) => sum + Number(each), 0)).toBeGreaterThan(23 * 3_600_000);
  });

  it('waits as long as the receiver asks, an hour at most', () => {
    expect(waits(1, true, 30_000)).toBe(30_000);
    expect(waits(1, true, 24 * 3_600_000)).toBe(3_600_000);
  });

  it('tries what was refused again only where nobody else can tell it, and nothing that was stopped', () => {
    const refused = { kind: 'refused' as const, error: 'SMTP 550' };
    expect(judgeSend(refused, 1, true, now)).toEqual({ kind: 'failed' });
    expect(judgeSend(refused, 1, false, now)).toEqual({ kind: 'retry', nextTryAt: new Date('2026-11-21T12:00:10Z') });
    expect(judgeSend(refused, 10, false, now)).toEqual({ kind: 'failed' });
    expect(judgeSend({ kind: 'stopped', error: 'Twilio 21610' }, 1, false, now)).toEqual({ kind: 'stopped' });
    expect(judgeSend({ kind: 'sent' }, 1, false, now)).toEqual({ kind: 'sent' });
  });
});
