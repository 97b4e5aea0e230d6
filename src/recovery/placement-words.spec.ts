import { describe, expect, it } from '@jest/globals';

import type { Placement } from './facts.js';
import { HOUR_MS } from './local-time.js';
import { placementWords } from './placement-words.js';

const FROM = Date.parse('2026-06-03T09:00:00Z');
const at = (hours: number) => FROM + hours * HOUR_MS;

/** Hours of slot, earliest, local, payday, open, wanted, plain and last. */
function placed(...hours: [number, number, number, number, number, number, number, number]): Placement {
  const [slot, earliest, local, payday, open, wanted, plain, last] = hours;
  return {
    slotMs: at(slot),
    earliestMs: at(earliest),
    localMs: at(local),
    paydayMs: at(payday),
    openMs: at(open),
    wantedMs: at(wanted),
    plainMs: at(plain),
    lastMs: at(last),
  };
}

describe('the words of a placed charge', () => {
  it.each([
    ['nothing moved it', placed(1, 1, 1, 1, 1, 1, 1, 99), 'slot 2026-06-03T10:00:00.000Z'],
    [
      'every step did',
      placed(1, 2, 3, 4, 5, 6, 5, 99),
      'slot 2026-06-03T10:00:00.000Z, gap or wait 2026-06-03T11:00:00.000Z, local hour 2026-06-03T12:00:00.000Z, ' +
        'payday 2026-06-03T13:00:00.000Z, blackout 2026-06-03T14:00:00.000Z',
    ],
    [
      'the payday does not fit',
      placed(1, 1, 2, 9, 9, 9, 3, 8),
      'slot 2026-06-03T10:00:00.000Z, local hour 2026-06-03T11:00:00.000Z, blackout 2026-06-03T12:00:00.000Z, ' +
        'no payday: the deadline comes first',
    ],
    ['only the jitter does not fit', placed(1, 1, 1, 1, 1, 9, 1, 8), 'slot 2026-06-03T10:00:00.000Z'],
    ['it fits to the millisecond', placed(1, 1, 1, 8, 8, 8, 1, 8), /payday 2026-06-03T17:00:00.000Z$/],
  ])('where %s', (_, placement, words) => {
    expect(placementWords(placement)).toEqual(words instanceof RegExp ? expect.stringMatching(words) : words);
  });
});
