import { describe, expect, it } from '@jest/globals';

import { SystemClock } from '../platform/clock.js';
import { Log } from '../platform/logging/log.js';
import type { DeliveryStore, TryResult } from './delivery-store.js';
import { TryResults } from './try-results.js';

type Writes = Pick<DeliveryStore, 'settle'>;

const result = (deliveryId: string, verdict: TryResult['verdict'] = 'delivered'): TryResult => ({
  ...{ clientId: 'cli_1', deliveryId, endpointId: 'we_1', leaseToken: '1', number: 1, at: new Date(0), durationMs: 1 },
  ...{ status: 200, error: null, responseExcerpt: null, verdict, nextTryAt: null, throttle: null },
  isProbe: false,
});

/** A database that fails as told and remembers what it was given. */
function storeThat(settle: (ids: string[]) => boolean) {
  const written: string[][] = [];
  const store: Writes = {
    settle: (_now, results) =>
      Promise.resolve().then(() => {
        const ids = results.map(({ deliveryId }) => deliveryId);
        const woken = settle(ids);
        written.push(ids);
        return woken;
      }),
  };
  return { store, written };
}

const resultsOn = (store: Writes, onWoken = () => undefined as void) =>
  new TryResults(store, new SystemClock(), new Log('silent'), onWoken);

describe('TryResults', () => {
  it('writes what is ready together in one statement', async () => {
    const { store, written } = storeThat(() => false);
    const results = resultsOn(store);
    for (const id of ['a', 'b', 'c']) results.add(result(id));
    await results.written();
    expect(written).toEqual([['a', 'b', 'c']]);
  });

  it('writes the neighbours of a result that can not be written', async () => {
    const { store, written } = storeThat((ids) => {
      if (ids.includes('bad') && ids.length > 1) throw new Error('invalid input');
      return false;
    });
    const results = resultsOn(store);
    for (const id of ['a', 'bad', 'c']) results.add(result(id));
    await results.written();
    expect(written).toEqual([['a'], ['bad'], ['c']]);
  });

  it('waits for a database that is away for a moment', async () => {
    let calls = 0;
    const { store, written } = storeThat(() => {
      calls += 1;
      if (calls < 3) throw Object.assign(new Error('terminating connection'), { code: '57P01' });
      return false;
    });
    const results = resultsOn(store);
    results.add(result('a'));
    results.add(result('b'));
    await results.written();
    expect(written).toEqual([['a', 'b']]);
  });

  it('wakes who stood in line', async () => {
    const { store } = storeThat(() => true);
    let woken = 0;
    const results = resultsOn(store, () => {
      woken += 1;
    });
    results.add(result('a', 'gone'));
    results.add(result('b', 'gone'));
    await results.written();
    expect(woken).toBe(1);
  });
});
