import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const ROOT = join(import.meta.dirname, '..', '..');
const WAIT_MS_MAX = 15_000;
const LOOK_EVERY_MS = 20;

/** `npm run listen`, as a process that is typed to and stopped. */
export class ListenProcess {
  stdout = '';
  stderr = '';
  private readonly exited: Promise<unknown>;

  constructor(
    args: string[],
    private readonly child: ChildProcess = spawn(
      process.execPath,
      ['--import', './scripts/typescript.mjs', 'scripts/listen.ts', ...args],
      { cwd: ROOT, env: { PATH: process.env['PATH'] }, stdio: 'pipe' },
    ),
  ) {
    child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.exited = once(child, 'close');
  }

  /** What a pattern finds in the output, once it does. @throws with all that was said when it does not. */
  async says(pattern: RegExp, stream: 'stdout' | 'stderr' = 'stdout'): Promise<RegExpExecArray> {
    for (let waitedMs = 0; waitedMs < WAIT_MS_MAX; waitedMs += LOOK_EVERY_MS) {
      const found = pattern.exec(this[stream]);
      if (found) return found;
      if (this.child.exitCode !== null) break;
      await sleep(LOOK_EVERY_MS);
    }
    throw new Error(`it never said ${String(pattern)}, but:\n${this.stdout}\n${this.stderr}`);
  }

  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** Ctrl-C. */
  async interrupt(): Promise<number | null> {
    this.child.kill('SIGINT');
    return this.ended();
  }

  async ended(): Promise<number | null> {
    await this.exited;
    return this.child.exitCode;
  }
}
