import { readFileSync } from 'node:fs';

import { describe, expect, it } from '@jest/globals';

import { EVENT_NAMES } from '../../packages/receiver/src/events.js';
import { verify, type RefusalReason } from '../../packages/receiver/src/verify.js';
import { HELP } from '../../scripts/listen/options.js';
import { TRY_DEADLINE_MS, TRY_OFFSETS_MS } from '../../src/webhooks/delivery-policy.js';

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8').replace(/\s+/g, ' ');
const GUIDE = read('docs/receiving-webhooks.md');
const README = read('packages/receiver/README.md');

/** `2 s`, `5 m`, `24 h`. */
function spanOf(ms: number): string {
  if (ms < 60_000) return `${ms / 1_000} s`;
  return ms < 3_600_000 ? `${ms / 60_000} m` : `${ms / 3_600_000} h`;
}

// Checked by the compiler to hold every reason.
const REASONS: Record<RefusalReason, true> = {
  body_not_raw: true,
  no_secret: true,
  bad_secret: true,
  signature_missing: true,
  header_malformed: true,
  too_old: true,
  too_new: true,
  signature_mismatch: true,
  unreadable: true,
};

describe('what is written about receiving webhooks', () => {
  it('has the times of the tries that the dispatcher keeps', () => {
    expect(GUIDE).toContain(`${TRY_OFFSETS_MS.slice(1).map(spanOf).join(', ')} after the first`);
    expect(GUIDE).toContain(`Answer 2xx within ${spanOf(TRY_DEADLINE_MS)}`);
  });

  it('names every reason for a refusal', () => {
    for (const reason of Object.keys(REASONS)) expect(README).toContain(`\`${reason}\``);
  });

  it('has the tolerance that is used', () => {
    expect(README).toMatch(/`toleranceSeconds` \| 300 \|/);
    const headers = { 'webhook-id': 'a', 'webhook-timestamp': '0', 'webhook-signature': 'v1,' };
    const at = (seconds: number) => verify('', headers, 'x', { now: new Date(seconds * 1_000) });
    expect([at(300), at(301)]).toMatchObject([{ reason: 'bad_secret' }, { reason: 'too_old' }]);
  });

  it('tells in --help every event that can be asked for', () => {
    for (const name of EVENT_NAMES) expect(HELP).toContain(name);
  });
});
