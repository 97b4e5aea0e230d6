import { existsSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { basename, join } from 'node:path';

import { hasCode } from '../error-facts.js';
import { runAs } from './account.js';
import type { Binaries } from './binaries.js';
import { EmbeddedPostgresFailed } from './errors.js';
import { lastLines, type Home } from './home.js';

/** A server that runs on a cluster: its process and the TCP port it listens on. */
export interface Postmaster {
  pid: number;
  port: number;
}

/** After a power cut the server first replays its log, which may take a while. */
const START_SECONDS_MAX = 120;
const STOP_SECONDS_MAX = 60;
/** Another program may take the free port between our look and the server's start. */
const PORTS_TRIED_MAX = 3;

/**
 * The server that runs on this cluster, or null. A server outlives the process that started it, so this finds what a
 * killed one left behind.
 * @see https://www.postgresql.org/docs/18/storage-file-layout.html (lines of postmaster.pid: 1 is the pid, 4 the port)
 */
export function findPostmaster(cluster: string): Postmaster | null {
  const pidFile = join(cluster, 'postmaster.pid');
  const lines = readLines(pidFile);
  const pid = Number(lines[0]);
  const port = Number(lines[3]);
  if (!Number.isInteger(pid) || pid <= 0 || !isAlive(pid)) return null; // PostgreSQL itself overwrites a stale file.
  if (isOtherProgram(pid, cluster)) {
    // In a restarted container the old number is often another program's; PostgreSQL would refuse to start.
    rmSync(pidFile, { force: true });
    return null;
  }
  return Number.isInteger(port) && port > 0 ? { pid, port } : null;
}

function readLines(path: string): string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM'); // Alive, and another user's.
  }
}

// Only Linux tells without a further program; elsewhere the file is believed.
function isOtherProgram(pid: number, cluster: string): boolean {
  if (!existsSync('/proc/self/cmdline')) return false;
  try {
    const [program, ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    return basename(program ?? '') !== 'postgres' || !args.includes(cluster);
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH')) return true; // It has ended meanwhile.
    throw error;
  }
}

/**
 * Starts a server on the cluster, on a free port of 127.0.0.1 and no socket file. `pg_ctl` gives it a session of its
 * own, so Ctrl-C does not reach it and it can finish after us.
 * @throws {EmbeddedPostgresFailed} when it does not come up, unless another start brought one up meanwhile.
 */
export async function startPostmaster(home: Home, binaries: Binaries, durable: boolean): Promise<void> {
  for (let tried = 1; ; tried++) {
    const options = serverOptions(await freePort(), durable);
    const saidBefore = Math.max(readLines(home.log).length - 1, 0); // The log grows over the starts.
    const args = ['start', '-w', '-t', String(START_SECONDS_MAX), '-D', home.cluster, '-l', home.log, '-o', options];
    const { code, output } = await runAs(home.account, binaries.program('pg_ctl'), args);
    if (code === 0 || findPostmaster(home.cluster)) return;

    const said = readLines(home.log).slice(saidBefore);
    if (tried < PORTS_TRIED_MAX && said.some((line) => line.includes('Address already in use'))) continue;
    const reason = said.findLast((line) => /FATAL|PANIC/.test(line)) ?? lastLines(output);
    throw new EmbeddedPostgresFailed(`did not start on ${home.cluster}: ${reason} (see ${home.log})`);
  }
}

function serverOptions(port: number, durable: boolean): string {
  const settings = [
    'listen_addresses=127.0.0.1',
    'unix_socket_directories=',
    'timezone=UTC',
    'log_timezone=UTC',
    // The client sees every error. The log keeps starts, stops and crashes, so it neither grows nor holds row values.
    'log_min_messages=log',
    'log_checkpoints=off',
    'log_error_verbosity=terse',
    'log_min_error_statement=panic',
    ...(durable ? [] : ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off', 'max_connections=300']),
  ];
  return [`-p ${port}`, ...settings.map((setting) => `-c ${setting}`)].join(' ');
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === 'string') reject(new Error('No TCP port was given.'));
        else resolve(address.port);
      });
    });
  });
}

/**
 * Stops the server that runs on the cluster, if any, and waits until it is gone. Open transactions are rolled back;
 * a server that does not end in time is cut off, which costs it a log replay at the next start but no data.
 * @throws {EmbeddedPostgresFailed} when it is still there after that.
 */
export async function stopPostmaster(home: Home, binaries: Binaries): Promise<void> {
  for (const mode of ['fast', 'immediate']) {
    if (!findPostmaster(home.cluster)) return;
    const args = ['stop', '-w', '-t', String(STOP_SECONDS_MAX), '-D', home.cluster, '-m', mode];
    await runAs(home.account, binaries.program('pg_ctl'), args);
  }
  const left = findPostmaster(home.cluster);
  if (left) throw new EmbeddedPostgresFailed(`did not stop (pid ${left.pid}, ${home.cluster})`);
}
