import {
  Database,
  isConnectionError,
  type Scope,
  type Statement,
  type StatementResult,
} from '../platform/db/database.js';
import { Gathering } from '../platform/gathering.js';
import { ANY_CHARGE_OF_ROW, locksOf, type UnchargedCard } from './card-ledger.js';
import { kindOf, saveAllStatement, saveStatement, type Save } from './change-statement.js';

const WORKER: Scope = { role: 'worker' };
/** A recovery's JSON is some 3 kB: more of them in one statement make those behind wait for longer than they gain. */
const TOGETHER_MAX = 64;

interface Asked {
  save: Save;
  /** Written only if nobody is known to have charged this card. */
  unless: UnchargedCard | null;
}

/**
 * Writes changes, each under its own lease and with all that belongs to it, or not at all. Those of one kind that come while
 * the last ones are on their way share one statement and one commit: most of what PostgreSQL does for one is done once for
 * all of them. One that is refused is written again by itself, and meets its refusal alone.
 */
export class Saves {
  private readonly gathering = new Gathering<Asked, boolean>(
    (asked) => this.writeTogether(asked),
    (asked) => this.writeAlone(asked),
    isConnectionError,
    TOGETHER_MAX,
  );

  constructor(private readonly database: Database) {}

  /** False when nothing was written: the lease is lost, or the card was charged before. */
  add(save: Save, unless: UnchargedCard | null = null): Promise<boolean> {
    const { clientId, id } = save.recovery;
    const apart = [`${clientId}:${id}`, ...(unless === null ? [] : [`card ${unless.card}`])];
    const kind = [
      ...(unless === null ? [] : ['unless']),
      ...(this.database.mixesClients ? [] : [clientId]),
      kindOf(save),
    ];
    return this.gathering.add(kind.join(' '), apart, { save, unless });
  }

  private async writeTogether(asked: readonly [Asked, ...Asked[]]): Promise<readonly boolean[]> {
    const [first, ...others] = asked;
    if (others.length === 0) return [isWritten(await this.database.sets(statementsOf(first)))];
    const cards = asked.flatMap(({ unless }) => unless?.card ?? []);
    const locks = cards.length === 0 ? [] : [locksOf(cards)];
    const saves = [first.save, ...others.map(({ save }) => save)] as const;
    const save = saveAllStatement(saves, cards.length === 0 ? null : ANY_CHARGE_OF_ROW);
    const results = await this.database.sets([...locks, save]);
    const rows = results.at(-1)?.rows ?? [];
    const written = new Set(rows.map(({ client_id: clientId, id }) => `${String(clientId)}:${String(id)}`));
    return saves.map(({ recovery: { clientId, id } }) => written.has(`${clientId}:${id}`));
  }

  /** Waits for whoever holds the row or its card, and tells what is wrong with this write. */
  private async writeAlone(asked: Asked): Promise<boolean> {
    return isWritten(await this.database.flight(WORKER, statementsOf(asked)));
  }
}

function statementsOf({ save, unless }: Asked): Statement[] {
  return [...(unless === null ? [] : [unless.lock]), saveStatement(save, unless?.obstacles)];
}

function isWritten(results: readonly StatementResult[]): boolean {
  return results.at(-1)?.rows[0]?.['written'] === 1;
}
