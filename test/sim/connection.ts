import {
  CommitOutcomeUnknown,
  Database,
  DatabaseUnreachable,
  type OwnTransaction,
  type Scope,
  type Statement,
  type StatementResult,
} from '../../src/platform/db/database.js';
import type { Faults } from './faults.js';
import { Transacting, type MemoryDatabase } from './memory/memory-database.js';
import type { Inhabitant, Timeline } from './timeline.js';

/** What a flight ends with: its transaction goes on, or commits. */
type Ending = 'open' | 'commit';

/** One process's way to the store: every flight is a scheduling point, and may be cut on either side of its COMMIT. */
export class Connection extends Database {
  private readonly open = new Set<Transacting>();

  constructor(
    private readonly store: MemoryDatabase,
    private readonly process: Inhabitant,
    private readonly timeline: Timeline,
    private readonly faults: Faults,
  ) {
    super();
  }

  override flight(_scope: Scope, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.send(statements, new Transacting(), 'commit');
  }

  override sets(statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.send(statements, new Transacting(), 'commit');
  }

  override lookups(_clientId: string, statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.send(statements, new Transacting(), 'commit');
  }

  override async transaction<T>(_scope: Scope, work: (tx: OwnTransaction) => Promise<T>): Promise<T> {
    const transacting = new Transacting();
    const tx = new MemoryTransaction((statements, ending) => this.send(statements, transacting, ending));
    try {
      const result = await work(tx);
      await tx.commit();
      return result;
    } catch (error) {
      this.rollback(transacting);
      throw error;
    }
  }

  override close(): Promise<void> {
    return Promise.resolve();
  }

  /** Its process was killed or stands still: PostgreSQL takes back what was not committed, and forgets the connection. */
  cut(): void {
    for (const transacting of this.open) {
      transacting.isBroken = true;
      this.rollback(transacting);
    }
  }

  private rollback(transacting: Transacting): void {
    this.open.delete(transacting);
    this.store.rollback(transacting);
  }

  /** Most answers come at once; some take their time, and others act before they arrive. */
  private answer(run: () => void): void {
    const { process, timeline, faults } = this;
    const delayMs = faults.latencyMs();
    if (delayMs > 0 || process.dead || process.stoppedUntilMs > timeline.nowMs)
      return timeline.reply(process, delayMs, run);
    timeline.enter(process);
    run();
  }

  private send(statements: readonly Statement[], on: Transacting, ending: Ending): Promise<StatementResult[]> {
    return new Promise((resolve, reject) => {
      const fault = this.faults.ofFlight(statements);
      const answer = (run: () => void) => this.answer(run);
      if (fault === 'unreachable') return answer(() => reject(new DatabaseUnreachable(new Error('out of reach'))));
      const arrive = () => {
        // A killed process's flight was on its way: it may still arrive, but nothing of an open transaction stands.
        if (this.process.dead && ending === 'open') return;
        if (fault === 'cut_before' || on.isBroken) {
          this.rollback(on);
          return answer(() => reject(brokenConnection(ending)));
        }
        this.execute(statements, on, ending, (run) => answer(run), {
          resolve,
          reject,
          isCutAfter: fault === 'cut_after',
        });
      };
      this.timeline.call(this.faults.between(0, 3), arrive);
    });
  }

  private execute(
    statements: readonly Statement[],
    on: Transacting,
    ending: Ending,
    answer: (run: () => void) => void,
    caller: { resolve: (results: StatementResult[]) => void; reject: (error: unknown) => void; isCutAfter: boolean },
  ): void {
    let results: StatementResult[] | null;
    try {
      results = this.store.tryFlight(statements, on);
    } catch (error) {
      this.rollback(on);
      return answer(() => caller.reject(error));
    }
    if (results === null) {
      const again = () => this.execute(statements, on, ending, answer, caller);
      return this.store.wait(() => this.timeline.call(0, again));
    }
    const landed = results;
    if (ending === 'open') this.open.add(on);
    else {
      this.open.delete(on);
      this.store.commit(on, this.process);
    }
    if (caller.isCutAfter && ending === 'commit') return answer(() => caller.reject(brokenConnection(ending)));
    answer(() => caller.resolve(landed));
  }
}

function brokenConnection(ending: Ending): Error {
  const broken = Object.assign(new Error('Connection terminated'), { code: '57P01' });
  return ending === 'commit' ? new CommitOutcomeUnknown(broken) : broken;
}

class MemoryTransaction implements OwnTransaction {
  private ended = false;

  constructor(
    private readonly send: (statements: readonly Statement[], ending: Ending) => Promise<StatementResult[]>,
  ) {}

  async query<Row extends StatementResult['rows'][number]>(statement: Statement): Promise<StatementResult<Row>> {
    const [result] = await this.send([statement], 'open');
    return result as StatementResult<Row>;
  }

  flight(statements: readonly Statement[]): Promise<StatementResult[]> {
    return this.send(statements, 'open');
  }

  async end(statement: Statement): Promise<StatementResult> {
    const [result] = await this.send([statement], 'commit');
    this.ended = true;
    return result as StatementResult;
  }

  async commit(): Promise<void> {
    if (!this.ended) await this.send([], 'commit');
    this.ended = true;
  }
}
