import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { request } from 'undici';

import { ADMIN_KEY } from './app.js';

const ROOT = join(import.meta.dirname, '..', '..');
const START_MS_MAX = 60_000;
const LOOK_EVERY_MS = 50;

export interface ProcessOptions {
  databaseUrl: string;
  /** base64 of 32 bytes; processes on one database share it. */
  masterKey: string;
  /** Further settings, by their names in the environment. */
  settings?: Record<string, string>;
}

/** The service as an operator starts it: a process of its own, that can be killed. */
export class ServiceProcess {
  private output = '';

  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => (this.output += chunk.toString('utf8')));
    }
  }

  /** Runs `dist`, which `npm test` builds first. Resolves once it is ready. @throws with what it printed, when it is not. */
  static async start({ databaseUrl, masterKey, settings }: ProcessOptions): Promise<ServiceProcess> {
    const port = await freePort();
    const env = {
      PATH: process.env['PATH'],
      DATABASE_URL: databaseUrl,
      REVTAIN_MASTER_KEY: masterKey,
      REVTAIN_ADMIN_KEY: ADMIN_KEY,
      REVTAIN_DEMO: 'off',
      LOG_LEVEL: 'warn',
      PORT: String(port),
      ...settings,
    };
    const child = spawn(process.execPath, [join(ROOT, 'dist', 'main.js')], {
      cwd: ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const started = new ServiceProcess(child, `http://127.0.0.1:${port}`);
    await started.ready();
    return started;
  }

  get printed(): string {
    return this.output;
  }

  /** `SIGSTOP` and `SIGCONT` make a zombie of it; `SIGUSR2` lets go of what its failpoints hold. */
  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Ends it as a power cut does: nothing is handed back, nothing is finished. */
  async kill(): Promise<void> {
    if (this.ended) return;
    const exited = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exited;
  }

  /** True once it has ended by itself, or by its own hand; false when it still runs after `ms`. */
  async endsWithin(ms: number): Promise<boolean> {
    for (let waitedMs = 0; waitedMs < ms && !this.ended; waitedMs += LOOK_EVERY_MS) await sleep(LOOK_EVERY_MS);
    return this.ended;
  }

  /** Asks it to stop, and returns the code it exits with. */
  async terminate(): Promise<number | null> {
    const exited = once(this.child, 'exit') as Promise<[number | null]>;
    this.child.kill('SIGTERM');
    const [code] = await exited;
    return code;
  }

  private get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private async ready(): Promise<void> {
    for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += LOOK_EVERY_MS) {
      if (this.ended) break;
      if (await this.answersReady()) return;
      await sleep(LOOK_EVERY_MS);
    }
    await this.kill();
    throw new Error(`the service did not start:\n${this.output}`);
  }

  /** Until it listens, the connection is refused; when it dies under the question, it is cut. */
  private async answersReady(): Promise<boolean> {
    try {
      const { statusCode, body } = await request(`${this.url}/readyz`);
      await body.dump();
      return statusCode === 200;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? '';
      if (['ECONNREFUSED', 'ECONNRESET', 'UND_ERR_SOCKET'].includes(code)) return false;
      throw error;
    }
  }
}

/** From below the range that systems take ephemeral ports of: what was free a moment ago is not taken by a client's socket. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + randomInt(10_000);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
