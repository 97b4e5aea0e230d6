import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';

import {
  type EmbeddedPostgres,
  startEmbeddedPostgres,
} from '../../src/platform/embedded-postgres/embedded-postgres.js';

const LOOK_EVERY_MS = 50;
const UP_MS_MAX = 60_000;

/** How a server was started, so that it can be started again as it was. */
interface Started {
  program: string;
  args: string[];
  account: { uid: number; gid: number };
}

/** A PostgreSQL that keeps every commit, and that a test kills and starts again, on the same port. Linux only. */
export class CrashablePostgres {
  private pid: number;

  private constructor(
    private readonly first: EmbeddedPostgres,
    private readonly dataDir: string,
    private readonly how: Started,
  ) {
    this.pid = first.pid;
  }

  static async start(): Promise<CrashablePostgres> {
    const dataDir = mkdtempSync(join(tmpdir(), 'revtain-chaos-'));
    const first = await startEmbeddedPostgres({ dataDir, log: () => undefined, onGone: () => undefined });
    const [, ...args] = readFileSync(`/proc/${first.pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
    const { uid, gid } = statSync(`/proc/${first.pid}`);
    return new CrashablePostgres(first, dataDir, {
      program: readlinkSync(`/proc/${first.pid}/exe`),
      args,
      account: { uid, gid },
    });
  }

  get url(): string {
    return this.first.connectionString;
  }

  /** As when the machine's power goes, but for the disk's own cache: nobody is told, and the log is replayed afterwards. */
  async crash(): Promise<void> {
    process.kill(this.pid, 'SIGKILL');
    const endsAtMs = performance.now() + UP_MS_MAX;
    // Until the last orphan of the old server has noticed, a new one refuses to start.
    while (!(await this.comesUp())) {
      if (performance.now() > endsAtMs) throw new Error('PostgreSQL did not come back');
      await sleep(LOOK_EVERY_MS);
    }
  }

  async stop(): Promise<void> {
    if (this.pid !== this.first.pid) await this.end();
    await this.first.stop();
    rmSync(this.first.folder, { recursive: true, force: true }); // Not always inside the data folder.
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  private async comesUp(): Promise<boolean> {
    const { program, args, account } = this.how;
    const child = spawn(program, args, { cwd: '/', env: { LC_ALL: 'C' }, stdio: 'ignore', detached: true, ...account });
    child.unref();
    while (child.exitCode === null && child.signalCode === null) {
      if (await this.answers()) {
        this.pid = child.pid ?? 0;
        return true;
      }
      await sleep(LOOK_EVERY_MS);
    }
    return false;
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      return false; // Not yet, or not this time: whoever asked looks again.
    }
  }

  private async end(): Promise<void> {
    process.kill(this.pid, 'SIGQUIT');
    while (isAlive(this.pid)) await sleep(LOOK_EVERY_MS);
  }
}

function isAlive(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ')[2] !== 'Z';
  } catch {
    return false;
  }
}
