import { describe, expect, it } from '@jest/globals';

import { pickAccount } from './account.js';

const line = (name: string, uid: number, gid: number) => `${name}:x:${uid}:${gid}::/:/bin/false`;

describe('the account that root lends PostgreSQL', () => {
  it('is postgres, else nobody, else any other than root', () => {
    const all = [line('root', 0, 0), line('daemon', 1, 1), line('nobody', 65534, 65533), line('postgres', 70, 71)];
    expect(pickAccount(all.join('\n'))).toEqual({ uid: 70, gid: 71 });
    expect(pickAccount(all.slice(0, 3).join('\n'))).toEqual({ uid: 65534, gid: 65533 });
    expect(pickAccount(all.slice(0, 2).join('\n'))).toEqual({ uid: 1, gid: 1 });
  });

  it('is never a second name of root, nor a number that the system cannot take', () => {
    const passwd = ['# comment', line('toor', 0, 0), line('nobody', -2, -2), line('www', 33, 33), ''].join('\n');
    expect(pickAccount(passwd)).toEqual({ uid: 33, gid: 33 });
  });

  it('must exist', () => {
    expect(() => pickAccount(line('root', 0, 0))).toThrow(
      'The embedded PostgreSQL cannot run here (started as root, and /etc/passwd names no other user): ' +
        'set DATABASE_URL to a PostgreSQL 15 or newer',
    );
  });
});
