import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { EmbeddedPostgresFailed } from './errors.js';

/** A user of the machine, by number. */
export interface Account {
  uid: number;
  gid: number;
}

/** How a command ended. */
export interface Finished {
  code: number | null;
  output: string;
}

/**
 * The account PostgreSQL must be run under, or null for our own. PostgreSQL refuses root, so root lends it another
 * user: the owner of an existing cluster, else `postgres`, `nobody` or any other that the machine knows. It must be
 * one of /etc/passwd, for initdb looks its own name up.
 */
export function accountFor(clusterFolder: string): Account | null {
  if (process.getuid?.() !== 0) return null;
  const owner = statSync(clusterFolder, { throwIfNoEntry: false });
  if (owner && owner.uid !== 0) return { uid: owner.uid, gid: owner.gid };
  return pickAccount(readFileSync('/etc/passwd', 'utf8'));
}

/** Picks from the text of /etc/passwd the account that suits best. */
export function pickAccount(passwd: string): Account {
  const accounts = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => Number.isInteger(uid) && Number.isInteger(gid) && uid > 0 && gid >= 0);
  const named = (name: string) => accounts.find((account) => account.name === name);
  const picked = named('postgres') ?? named('nobody') ?? accounts[0];
  if (!picked) throw EmbeddedPostgresFailed.unsupported('started as root, and /etc/passwd names no other user');
  return { uid: picked.uid, gid: picked.gid };
}

/** Whether the account may pass every folder down to this one. Our own account (null) is taken at its word. */
export function canEnter(folder: string, account: Account | null): boolean {
  if (!account) return true;
  for (let at = realpathSync(folder); ; at = dirname(at)) {
    const { uid, gid, mode } = statSync(at);
    const passBit = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & passBit) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/**
 * Makes a folder that the account may enter, with the folders above it.
 * @throws {EmbeddedPostgresFailed} when it cannot be made, or a folder above is closed to the account.
 */
export function makeOpenFolder(folder: string, account: Account | null): void {
  try {
    const first = mkdirSync(folder, { recursive: true, mode: 0o755 });
    // A narrow umask takes bits away from what was made: from the first new folder down, all are ours to open.
    for (let at = folder; first && at.length >= first.length; at = dirname(at)) chmodSync(at, 0o755);
  } catch (cause) {
    throw EmbeddedPostgresFailed.unsupported(`${folder} cannot be made`, { cause });
  }
  if (!canEnter(folder, account)) {
    throw EmbeddedPostgresFailed.unsupported(`uid ${account?.uid} cannot enter ${folder}`);
  }
}

/**
 * Runs one of PostgreSQL's programs under the account and waits for its end. It sees none of our environment: PGDATA,
 * PGOPTIONS or a locale the machine does not have would change what it does.
 * @throws {EmbeddedPostgresFailed} when the program cannot be run at all.
 */
export function runAs(account: Account | null, program: string, args: string[]): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      // The folder we were started in may be closed to the account, and initdb insists on entering its own.
      cwd: process.platform === 'win32' ? undefined : '/',
      // Windows' programs do not start without some of the system's own variables.
      ...(process.platform === 'win32' ? {} : { env: { LC_ALL: 'C', PATH: '/usr/bin:/bin' } }),
      ...(account ?? {}),
      stdio: ['ignore', 'pipe', 'pipe'],
      windowsHide: true,
    });
    let output = '';
    const collect = (chunk: Buffer) => (output += chunk.toString('utf8'));
    child.stdout.on('data', collect);
    child.stderr.on('data', collect);
    child.on('error', (cause) => {
      reject(EmbeddedPostgresFailed.unsupported(cause.message, { cause }));
    });
    child.on('close', (code) => {
      resolve({ code, output: output.trim() });
    });
  });
}
