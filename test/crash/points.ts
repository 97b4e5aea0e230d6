import { FAILPOINTS } from '../../src/failpoints.js';
import type { Cell, Fault } from './drill.js';
import type { Story } from './stories.js';

/**
 * What loops pass for all merchants at once, those of a group side by side: there the loop is stopped, and nobody's story.
 */
export const LOOP_FAILPOINTS = [
  ['database.claim_due', 'database.claim_deliveries', 'database.renew_leases'],
  ['database.next_due', 'database.release_held'],
  ['database.next_delivery_due'],
  ['database.settle_deliveries'],
  ['database.follow_failures'],
] as const;
const OF_LOOPS = new Set<string>(LOOP_FAILPOINTS.flat());

/** A failpoint where one story passes it. */
export interface Point {
  story: Story;
  failpoint: string;
  nth: number;
}

/**
 * The points that differ: where the same failpoint is passed between the same two others, a fault there does the same,
 * and the first story that passes stands for all.
 */
export function pointsOf(traces: ReadonlyMap<Story, readonly string[]>): Point[] {
  const seen = new Set<string>();
  const points: Point[] = [];
  for (const [story, passed] of traces) {
    const known = passed
      .map(partsOf)
      .filter(({ failpoint }) => FAILPOINTS.includes(failpoint) && !OF_LOOPS.has(failpoint));
    known.forEach(({ failpoint, nth }, place) => {
      const neighbours = [known[place - 1]?.failpoint, failpoint, known[place + 1]?.failpoint].join(' ');
      if (seen.has(neighbours)) return;
      seen.add(neighbours);
      points.push({ story, failpoint, nth });
    });
  }
  return points;
}

/** The first story that passes each failpoint. */
export function onePointEach(points: readonly Point[]): Point[] {
  return points.filter(({ failpoint }, place) => points.findIndex((each) => each.failpoint === failpoint) === place);
}

/** One cell for each point. */
export function cellsOf(points: readonly Point[], fault: Fault): Cell[] {
  return points.map((point) => ({ ...point, fault }));
}

export function partsOf(passed: string): { failpoint: string; nth: number } {
  const [failpoint = '', nth = '1'] = passed.split('#');
  return { failpoint, nth: Number(nth) };
}
