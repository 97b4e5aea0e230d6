import { describe, expect, it } from '@jest/globals';

import { entityTag, isUnmodified } from './entity-tag.js';

const TAG = entityTag({ code: 'do_not_honor' });

describe('an entity tag', () => {
  it('is quoted, the same for the same body, and another for another', () => {
    expect(TAG).toMatch(/^"[\w-]{27}"$/);
    expect(entityTag({ code: 'do_not_honor' })).toBe(TAG);
    expect(entityTag({ code: 'expired_card' })).not.toBe(TAG);
  });

  it.each([TAG, `W/${TAG}`, `"other", ${TAG}`, '*'])('If-None-Match %s: unmodified', (sent) => {
    expect(isUnmodified(sent, TAG)).toBe(true);
  });

  it.each([undefined, '', '"other"', TAG.replaceAll('"', '')])('If-None-Match %s: sent again', (sent) => {
    expect(isUnmodified(sent, TAG)).toBe(false);
  });
});
