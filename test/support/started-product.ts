import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..', '..');
const NEEDED = ['src', 'scripts', 'package.json', 'tsconfig.json', 'tsconfig.build.json', 'openapi.yaml'];
const WAIT_STEP_MS = 20;

/** A checkout of its own, in a folder with a space in its name, that shares only the installed packages. */
export function makeCheckout(): string {
  const work = mkdtempSync(join(tmpdir(), 'revtain start-'));
  chmodSync(work, 0o755); // Root lends PostgreSQL another account, which has to get in.
  const checkout = join(work, 'app');
  mkdirSync(checkout);
  for (const name of NEEDED) cpSync(join(ROOT, name), join(checkout, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(checkout, 'node_modules'));
  return checkout;
}

export function removeCheckout(checkout: string): void {
  rmSync(join(checkout, '..'), { recursive: true, force: true, maxRetries: 5 });
}

/** The PostgreSQL that runs on a data folder, or null. */
export function serverPid(dataDir: string): number | null {
  const pid = readPid(join(dataDir, 'postgres', 'cluster', 'postmaster.pid'));
  return pid !== null && isAlive(pid) ? pid : null;
}

/** The product as a process in a group of its own, as a shell's job is. */
export class StartedProduct {
  stdout = '';
  stderr = '';
  private readonly exited: Promise<number | null>;

  private constructor(private readonly child: ChildProcess) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = new Promise((resolve) => child.once('close', resolve));
  }

  /** Runs a command in the checkout, with nothing of our environment but PATH and HOME: no LANG either. */
  static run(checkout: string, command: string[], settings: Record<string, string> = {}): StartedProduct {
    const [program = '', ...args] = command;
    const { PATH, HOME } = process.env;
    const env = { ...(PATH && { PATH }), ...(HOME && { HOME }), ...settings };
    const child = spawn(program, args, { cwd: checkout, env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    return new StartedProduct(child);
  }

  /** What a pattern finds in the output, once it does. @throws with all that was said when it does not, or ends first. */
  async says(pattern: RegExp, waitMsMax = 60_000): Promise<RegExpExecArray> {
    for (let waitedMs = 0; waitedMs < waitMsMax; waitedMs += WAIT_STEP_MS) {
      const found = pattern.exec(this.stdout);
      if (found) return found;
      if (this.hasEnded) break;
      await sleep(WAIT_STEP_MS);
    }
    throw new Error(`it never said ${String(pattern)}, but:\n${this.stdout}\n${this.stderr}`);
  }

  /** Signals the whole group, as Ctrl-C in a terminal does, and answers the exit code. */
  async interrupt(): Promise<number | null> {
    this.signal('SIGINT');
    return this.exited;
  }

  /** Kills it on the spot; what it started goes on. */
  async killHard(): Promise<void> {
    if (!this.hasEnded) this.signal('SIGKILL');
    await this.exited;
  }

  /** The exit code, once it has ended by itself. */
  ended(): Promise<number | null> {
    return this.exited;
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  private signal(signal: NodeJS.Signals): void {
    if (this.child.pid === undefined) throw new Error('The process did not start.');
    process.kill(-this.child.pid, signal);
  }
}

function readPid(file: string): number | null {
  try {
    return Number(readFileSync(file, 'utf8').split('\n')[0]);
  } catch {
    return null; // No file: no server.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // Alive, and another account's.
  }
}
