import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';

import { findPostmaster } from './postmaster.js';

describe('findPostmaster', () => {
  let cluster: string;

  beforeEach(() => {
    cluster = mkdtempSync(join(tmpdir(), 'revtain-cluster-'));
  });

  afterEach(() => {
    rmSync(cluster, { recursive: true });
  });

  it('finds nothing where no server ever ran', () => {
    expect(findPostmaster(cluster)).toBeNull();
  });

  it('finds nothing when the process has ended', () => {
    writePidFile(2 ** 22 + 1); // Above the highest process id of Linux and macOS.
    expect(findPostmaster(cluster)).toBeNull();
  });

  it('is not misled when the number now belongs to another program', () => {
    writePidFile(process.pid);
    // Where the system does not tell what a process is, the file has to be believed.
    const tells = existsSync('/proc/self/cmdline');
    expect(findPostmaster(cluster)).toEqual(tells ? null : { pid: process.pid, port: 5555 });
    expect(existsSync(join(cluster, 'postmaster.pid'))).toBe(!tells);
  });

  function writePidFile(pid: number): void {
    const lines = [pid, cluster, 1_750_000_000, 5555, '', '127.0.0.1', '1 1', 'ready'];
    writeFileSync(join(cluster, 'postmaster.pid'), `${lines.join('\n')}\n`);
  }
});
