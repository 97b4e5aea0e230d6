import { describe, expect, it } from '@jest/globals';

import { Teardown } from './teardown.js';

describe('Teardown', () => {
  it('stops in reverse, once, and tells each step whether the start had failed', async () => {
    const steps: string[] = [];
    const teardown = new Teardown();
    for (const name of ['database', 'application']) {
      teardown.add((afterFailure) => Promise.resolve(void steps.push(`${name} ${afterFailure}`)));
    }
    await teardown.run(true);
    await teardown.run();
    expect(steps).toEqual(['application true', 'database true']);
  });

  it('takes every step though one fails, and then says what failed', async () => {
    const steps: string[] = [];
    const teardown = new Teardown();
    teardown.add(() => Promise.resolve(void steps.push('database')));
    teardown.add(() => Promise.reject(new Error('application')));
    await expect(teardown.run()).rejects.toThrow('application');
    expect(steps).toEqual(['database']);
  });
});
