import type { ClientSettings } from '../clients/client-settings.js';
import type { Clock } from '../platform/clock.js';
import type { Database, Statement } from '../platform/db/database.js';
import { conflict } from '../platform/http/domain-error.js';
import type { SandboxGateway } from './sandbox-gateway.js';

/** While a clock is walked it stands still; a walker that died is outlived by as much real time as its other leases. */
const FROZEN_MS = 12_000;
/** A third of it: two renewals may fail before it lapses. */
const RENEW_EVERY_MS = 4_000;

export interface FrozenClockParts {
  database: Database;
  gateway: SandboxGateway;
  clock: Clock;
}

/**
 * A test client's clock while one walk holds it still. It is a lease, renewed for as long as the walk runs and fenced by
 * its own end: whoever lost it (a process that stalled) moves nothing any more.
 */
export class FrozenClock {
  private readonly timer: NodeJS.Timeout;
  private last: Promise<unknown> = Promise.resolve();

  /** @param held the ends that our row may have: the one that was written, and one whose writing was not answered. */
  private constructor(
    private readonly parts: FrozenClockParts,
    private readonly client: ClientSettings,
    private at: Date,
    private held: Date[],
  ) {
    this.timer = setInterval(() => void this.renew(), RENEW_EVERY_MS).unref();
  }

  /** Stops the clock at the instant that it shows. @throws {DomainError} 409 `clock_moving` while another walk holds it. */
  static async take(parts: FrozenClockParts, client: ClientSettings, at: Date): Promise<FrozenClock> {
    const realNow = parts.clock.now();
    const until = new Date(realNow.getTime() + FROZEN_MS);
    const taken = await parts.database.query(
      { role: 'tenant', clientId: client.id },
      {
        text: `UPDATE clients SET clock_frozen_at = $2, clock_frozen_until = $3
               WHERE id = $1 AND (clock_frozen_until IS NULL OR clock_frozen_until <= $4)`,
        values: [client.id, at, until, realNow],
      },
    );
    if (taken.rowCount !== 1) throw conflict('clock_moving', 'the clock of this client is being moved already');
    const frozen = new FrozenClock(parts, client, at, [until]);
    try {
      await frozen.inTurn(() => frozen.setGatewayClock(frozen.offsetAt(at), true));
    } catch (error) {
      await frozen.release();
      throw error;
    }
    return frozen;
  }

  /** Lets it stand at a later instant, at the gateway too. @throws {DomainError} 409 `clock_moving` once it is another's. */
  standAt(at: Date): Promise<void> {
    return this.inTurn(async () => {
      const offsetMs = this.offsetAt(at);
      await this.hold((until) => ({
        text: `UPDATE clients SET clock_offset_ms = $3, clock_frozen_at = $4, clock_frozen_until = $5
               WHERE id = $1 AND clock_frozen_until = ANY($2::timestamptz[])`,
        values: [this.client.id, this.held, offsetMs, at, until],
      }));
      this.at = at;
      await this.setGatewayClock(offsetMs, true);
    });
  }

  /** Lets it tick on from where it stands, or from a later instant. @throws {DomainError} 409 as above. */
  release(at: Date = this.at): Promise<void> {
    clearInterval(this.timer);
    return this.inTurn(async () => {
      const offsetMs = this.offsetAt(at);
      await this.write({
        text: `UPDATE clients SET clock_offset_ms = $3, clock_frozen_at = NULL, clock_frozen_until = NULL
               WHERE id = $1 AND clock_frozen_until = ANY($2::timestamptz[])`,
        values: [this.client.id, this.held, offsetMs],
      });
      this.at = at;
      await this.setGatewayClock(offsetMs, false);
    });
  }

  private async renew(): Promise<void> {
    const renewed = this.inTurn(async () => {
      await this.hold((until) => ({
        text: `UPDATE clients SET clock_frozen_until = $3 WHERE id = $1 AND clock_frozen_until = ANY($2::timestamptz[])`,
        values: [this.client.id, this.held, until],
      }));
      await this.setGatewayClock(this.offsetAt(this.at), true);
    });
    // One that fails is repeated in four seconds; what a lost clock would tell is told by the next guarded write.
    await renewed.catch(() => undefined);
  }

  /** Writes a new end. Where no answer comes, either end may stand, so both are remembered as ours. */
  private async hold(statement: (until: Date) => Statement): Promise<void> {
    const until = new Date(this.parts.clock.now().getTime() + FROZEN_MS);
    const writing = this.write(statement(until));
    this.held = [...this.held, until];
    await writing;
    this.held = [until];
  }

  private async write(statement: Statement): Promise<void> {
    const { rowCount } = await this.parts.database.query({ role: 'tenant', clientId: this.client.id }, statement);
    if (rowCount !== 1) throw conflict('clock_moving', 'the clock of this client was taken over by another walk');
  }

  /** One write after the other: each is fenced by what the one before it left. */
  private inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.last.then(work);
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private offsetAt(at: Date): number {
    return Math.max(0, at.getTime() - this.parts.clock.now().getTime());
  }

  /** The gateway dates its charges by the same clock: one that ticked on would date them later than we do. */
  private async setGatewayClock(offsetMs: number, stands: boolean): Promise<void> {
    if (this.client.gatewayProvider !== 'test') return;
    const [until] = this.held;
    const standing = stands && until !== undefined ? { at: this.at, until } : null;
    await this.parts.gateway.setClock(this.client.id, offsetMs, standing);
  }
}
