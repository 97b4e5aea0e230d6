import { describe, expect, it } from '@jest/globals';

import { LeaseLost } from '../engine/recovery-store.js';
import type { Recovery } from '../engine/recovery.js';
import { unlessTakenOver } from './obstacles.js';

function thrownFor(error: unknown): unknown {
  try {
    return unlessTakenOver(error);
  } catch (thrown) {
    return thrown;
  }
}

describe('a command whose lease ran out before it could write', () => {
  it('was not carried out, and may be sent again', () => {
    const lost = new LeaseLost({ id: '01M7ZPCS4VZPBPP9DJW0SRXPM4' } as Recovery);
    expect(thrownFor(lost)).toMatchObject({ status: 503, code: 'not_accepted', headers: { 'retry-after': '1' } });
  });

  it('is the only error that it speaks of', () => {
    const bug = new Error('a bug');
    expect(thrownFor(bug)).toBe(bug);
  });
});
