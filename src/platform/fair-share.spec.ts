import { describe, expect, it } from '@jest/globals';

import { fc } from '../../test/support/properties.js';
import { FairShare } from './fair-share.js';

/** Takes all that it may. */
function fill(share: FairShare, name: string): number {
  let taken = 0;
  for (; share.allowed(name) > 0; taken += 1) share.take(name);
  return taken;
}

describe('a fair share', () => {
  it('gives one alone half of the places, and each further one half of the rest', () => {
    const share = new FairShare(64);
    expect(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => fill(share, name))).toEqual([32, 16, 8, 4, 2, 1, 1]);
    expect(share.free).toBe(0);
  });

  it('has a place for a newcomer whatever one holds, and takes back what is given back', () => {
    const share = new FairShare(8);
    fill(share, 'hanging');
    expect(share.isAnyFull()).toBe(true);
    expect(share.allowances()).toEqual({ clientIds: ['hanging'], allowed: [0], others: 2 });
    share.take('other');
    share.giveBack('other');
    share.giveBack('hanging');
    expect(share.isAnyFull()).toBe(false);
    expect(share.free).toBe(5);
    expect(() => share.giveBack('other')).toThrow('holds no place');
  });

  it('never gives more places than there are, nor one more than half of what others leave', () => {
    const moves = fc.array(fc.tuple(fc.constantFrom('a', 'b', 'c', 'd'), fc.boolean()), { maxLength: 200 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), moves, (total, steps) => {
        const share = new FairShare(total);
        const held = new Map<string, number>();
        for (const [name, takes] of steps) {
          const own = held.get(name) ?? 0;
          if (takes && share.allowed(name) > 0) {
            share.take(name);
            held.set(name, own + 1);
            const others = [...held].reduce((sum, [each, count]) => (each === name ? sum : sum + count), 0);
            expect(own + 1).toBeLessThanOrEqual(Math.ceil((total - others) / 2));
          } else if (!takes && own > 0) {
            share.giveBack(name);
            held.set(name, own - 1);
          }
        }
        expect(share.free).toBe(total - [...held.values()].reduce((sum, count) => sum + count, 0));
        expect(share.free).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
