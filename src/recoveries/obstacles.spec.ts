import { describe, expect, it } from '@jest/globals';

import type { Recovery } from '../engine/recovery.js';
import { LeaseLost } from '../engine/recovery-store.js';
import { unlessTakenOver } from './obstacles.js';

describe('a command whose lease ran out before it could write', () => {
  it('was not carried out, and may be sent again', () => {
    const lost = new LeaseLost({ id: '01M7ZPCS4VZPBPP9DJW0SRXPM4' } as Recovery);
    expect(() => unlessTakenOver(lost)).toThrow(
      expect.objectContaining({ status: 503, code: 'not_accepted' }) as Error,
    );
  });

  it('is the only error that it speaks of', () => {
    const bug = new Error('a bug');
    expect(() => unlessTakenOver(bug)).toThrow(bug);
  });
});
