import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { TRY_DEADLINE_MS, TRY_OFFSETS_MS } from './delivery-policy.js';
import * as health from './endpoint-health.js';
import { IN_FLIGHT_MAX, IN_FLIGHT_UNPROVEN } from './sending-window.js';

const page = readFileSync(new URL('../../docs/webhooks.md', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');
const contract = readFileSync(new URL('../../openapi.yaml', import.meta.url), 'utf8').replaceAll(/\s+/g, ' ');

/** As people write a length of time. */
function written(ms: number): string {
  if (ms < 60_000) return `${ms / 1_000} s`;
  return ms < 3_600_000 ? `${ms / 60_000} m` : `${ms / 3_600_000} h`;
}

describe('docs/webhooks.md', () => {
  it('shows the retry schedule that the code keeps, and openapi.yaml the same', () => {
    const times = TRY_OFFSETS_MS.map(written);
    expect(page).toContain(`| ${times.join(' | ')} |`.replaceAll(' | ', ' | '));
    expect(contract).toContain(`${times.slice(1, -1).join(', ')} and ${times.at(-1)} after the first try`);
  });

  it('names the limits that the code keeps', () => {
    expect(page).toContain(`within ${TRY_DEADLINE_MS / 1_000} seconds is success`);
    expect(page).toContain(
      `failures for ${health.BREAKER_FAILURE_SHARE * 100} % of at least ${health.BREAKER_TRIES_MIN}`,
    );
    expect(page).toContain(`nothing is sent for ${health.BREAKER_OPEN_MS / 1_000} seconds`);
    expect(page).toContain(`failures for ${health.TOLD_AFTER_DAYS.join(' and for ')} days`);
    expect(page).toContain(`failures for ${health.DISABLED_AFTER_MS / health.DAY_MS} days`);
    expect(page).toContain(`at most ${IN_FLIGHT_MAX} from one process, and at most half of these`);
    expect(IN_FLIGHT_UNPROVEN).toBe(IN_FLIGHT_MAX / 2);
  });

  it('is right that one event never opens the breaker', () => {
    const inOneMinute = TRY_OFFSETS_MS.map(
      (start) => TRY_OFFSETS_MS.filter((at) => at >= start && at < start + 1.2 * health.BREAKER_WINDOW_MS).length,
    );
    expect(Math.max(...inOneMinute)).toBeLessThan(health.BREAKER_TRIES_MIN);
  });
});
