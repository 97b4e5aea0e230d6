import pg from 'pg';

import { Clock, SystemClock } from '../../src/platform/clock.js';
import { BackgroundWorks } from '../../src/platform/background-work.js';
import { Vault } from '../../src/platform/crypto/vault.js';
import { Database, type Scope } from '../../src/platform/db/database.js';
import { EgressClient } from '../../src/platform/egress/egress-client.js';
import { Ids } from '../../src/platform/ids.js';
import { Log } from '../../src/platform/logging/log.js';
import { SystemRandom } from '../../src/platform/random.js';
import type { State } from '../../src/recovery/facts.js';
import { TRY_DEADLINE_MS } from '../../src/webhooks/delivery-policy.js';
import { DeliveryStore } from '../../src/webhooks/delivery-store.js';
import { Dispatcher } from '../../src/webhooks/dispatcher.js';
import { EndpointVault } from '../../src/webhooks/endpoint-secrets.js';
import { composeEvent } from '../../src/webhooks/event-body.js';
import type { EventType } from '../../src/webhooks/event-types.js';
import { draftsToJson, outboxCtes, supersedeCtes, type EventDraft } from '../../src/webhooks/outbox.js';
import { Sender } from '../../src/webhooks/sender.js';
import { newSecret } from '../../src/webhooks/signature.js';
import { createTestDatabase, type TestDatabase } from './database.js';

const WORKER: Scope = { role: 'worker' };

export interface TestEndpoint {
  id: string;
  secret: string;
}

/** A recovery of a test: nothing but what events hang on. */
export interface TestRecovery {
  clientId: string;
  id: string;
}

export interface DeliveryState {
  id: string;
  event_id: string;
  type: EventType;
  endpoint_id: string;
  status: string;
  try_count: number;
  schedule_step: number;
  next_try_at: Date | null;
  endpoint_sequence: string | null;
  last_status: number | null;
  last_error: string | null;
  delivered_at: Date | null;
}

export interface WebhookRoomOptions {
  /** When a try is over; the product's own ten seconds unless given. */
  tryDeadlineMs?: number;
  /** PEM of the authority whose certificates are believed. */
  ca?: string;
}

/** Gives up on a try earlier than the product does, for tests that can not wait. */
class TimedSender extends Sender {
  protected override readonly deadlineMs: number;

  constructor(vault: EndpointVault, egress: EgressClient, clock: Clock, deadlineMs = TRY_DEADLINE_MS) {
    super(vault, egress, clock);
    this.deadlineMs = deadlineMs;
  }
}

interface Booking {
  events: EventType[];
  state?: State;
  heldUntil?: Date;
  /** Another lease than the row's: the guard then finds no row. */
  leaseToken?: number;
  dunningEnabled?: boolean;
}

// What the engine's statement does, cut to the parts that this room adds to it.
const BOOK = `
  WITH guarded AS (
    -- A step and a round of its own, so that the database lets any state follow any other.
    UPDATE recoveries SET state = $1, sequence = sequence + greatest($2, 1), round = round + 1, end_reason = $3, recovered_at = $4, due_at = $7, due_kind = $8
    WHERE client_id = $9 AND id = $10 AND lease_token = $11 RETURNING client_id, id, state),
  ${outboxCtes({ events: '$5', realNow: '$6' })},
  ${supersedeCtes({ guarded: 'guarded', realNow: '$6' })}
  SELECT count(*)::int AS written FROM guarded`;

/** The webhooks room alone, on a database of its own: recoveries are rows that the test moves, receivers are real. */
export class WebhookRoom {
  readonly ids: Ids;
  readonly vault: Vault;
  readonly egress: EgressClient;
  readonly store: DeliveryStore;
  readonly sender: Sender;
  private readonly sequences = new Map<string, number>();
  private readonly stops: (() => Promise<void>)[] = [];

  private constructor(
    private readonly testDatabase: TestDatabase,
    readonly database: Database,
    readonly clock: Clock,
    { tryDeadlineMs, ca }: WebhookRoomOptions,
  ) {
    const random = new SystemRandom();
    this.ids = new Ids(clock, random);
    this.vault = new Vault(random.bytes(32), [], random);
    this.egress = new EgressClient({ ports: [443], allowLoopback: true }, clock, ca === undefined ? {} : { ca });
    this.store = new DeliveryStore(database, this.ids);
    this.sender = new TimedSender(new EndpointVault(this.vault), this.egress, clock, tryDeadlineMs);
  }

  static async open(options: WebhookRoomOptions = {}): Promise<WebhookRoom> {
    const testDatabase = await createTestDatabase();
    return new WebhookRoom(testDatabase, Database.connect(testDatabase.url, 10), new SystemClock(), options);
  }

  /** A dispatcher as one process runs it. */
  startDispatcher(): Dispatcher {
    const works = new BackgroundWorks();
    const dispatcher = new Dispatcher(
      this.store,
      this.sender,
      this.clock,
      new SystemRandom(),
      new Log('silent'),
      works,
    );
    works.startAll();
    this.stops.push(() => works.stopAll());
    return dispatcher;
  }

  async stopDispatchers(): Promise<void> {
    for (const stop of this.stops.splice(0)) await stop();
  }

  async close(): Promise<void> {
    await this.stopDispatchers();
    await this.egress.close();
    await this.database.close();
    await this.testDatabase.drop();
  }

  async newClient(): Promise<string> {
    const id = this.ids.prefixed('cli');
    await this.sql(
      `INSERT INTO clients (id, name, gateway_provider, gateway_key_sealed, is_test, created_at, updated_at)
       VALUES ($1, 'Acme', 'test', '\\x00', true, now(), now())`,
      [id],
    );
    return id;
  }

  async newEndpoint(clientId: string, url: string, events: EventType[] | null = null): Promise<TestEndpoint> {
    const id = this.ids.prefixed('we');
    const secret = newSecret(new SystemRandom());
    const sealed = new EndpointVault(this.vault).sealSecret(clientId, id, secret);
    await this.sql(
      `INSERT INTO webhook_endpoints (client_id, id, url, events, secret_sealed, created_at, updated_at)
       VALUES ($1, $2, $3, $4, $5, now(), now())`,
      [clientId, id, url, events, sealed],
    );
    return { id, secret };
  }

  async newRecovery(clientId: string, debtName?: string): Promise<TestRecovery> {
    const id = this.ids.ulid();
    await this.sql(
      `INSERT INTO recoveries (client_id, id, state, debt_name, amount_requested_minor, amount_minor, currency, token_sealed,
         token_hash, policy, livemode, is_test, round_opened_at, deadline_at, advice, message, due_at, due_kind, created_at, updated_at)
       VALUES ($1, $2, 'action_required', $3, 2500, 2500, 'USD', '\\x00', '\\x00', '{}', false, true, now(), now(), '{}', '', now(),
         'authentication', now(), now())`,
      [clientId, id, debtName ?? id],
    );
    return { clientId, id };
  }

  /** Changes a recovery with the events that tell it, in the one statement. Answers the events' ids and whether it was written. */
  async book(recovery: TestRecovery, booking: Booking): Promise<{ eventIds: string[]; written: boolean }> {
    const drafts = booking.events.map((type) => this.draft(recovery, type, booking));
    const state = booking.state ?? 'action_required';
    const open = state === 'action_required';
    const closed = !open && state !== 'succeeded';
    const now = this.clock.now();
    const { rows } = await this.database.query<{ written: number }>(WORKER, {
      text: BOOK,
      values: [
        ...[state, drafts.length, closed ? 'abandoned' : null, state === 'succeeded' ? now : null],
        ...[draftsToJson(drafts, this.ids), now, open ? now : null, open ? 'authentication' : null],
        ...[recovery.clientId, recovery.id, booking.leaseToken ?? 0],
      ],
    });
    return { eventIds: drafts.map(({ id }) => id), written: rows[0]?.written === 1 };
  }

  /** The deliveries of a recovery or of a client, oldest event first. */
  async deliveries({ clientId, id }: { clientId: string; id?: string }): Promise<DeliveryState[]> {
    const { rows } = await this.database.query<DeliveryState & Record<string, unknown>>(WORKER, {
      text: `SELECT d.*, e.type FROM webhook_deliveries d JOIN webhook_events e ON e.client_id = d.client_id AND e.id = d.event_id
             WHERE d.client_id = $1 AND ($2::text IS NULL OR d.recovery_id = $2) ORDER BY e.sequence, e.id, d.endpoint_id`,
      values: [clientId, id ?? null],
    });
    return rows;
  }

  /** Waits until every delivery fits. @throws when they do not within ten seconds, telling how they stand. */
  async until(
    of: { clientId: string; id?: string },
    fits: (delivery: DeliveryState) => boolean,
  ): Promise<DeliveryState[]> {
    for (let waitedMs = 0; ; waitedMs += 20) {
      const rows = await this.deliveries(of);
      if (rows.every(fits)) return rows;
      if (waitedMs > 10_000) {
        throw new Error(
          `deliveries stand at ${rows.map((row) => `${row.type} ${row.status} ${row.try_count}`).join(', ')}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async sql<Row extends Record<string, unknown>>(text: string, values: unknown[] = []): Promise<Row[]> {
    return (await this.database.query<Row>(WORKER, { text, values })).rows;
  }

  /** Gathers the planner's statistics, as autovacuum does in time. */
  async analyze(): Promise<void> {
    const owner = new pg.Client({ connectionString: this.testDatabase.url });
    await owner.connect();
    await owner.query('ANALYZE');
    await owner.end();
  }

  /** Makes what waits for its retry due at once, as time would, and ends every pause of its endpoints. */
  async hurry(clientId: string): Promise<void> {
    await this.sql(
      `UPDATE webhook_endpoints SET throttled_until = NULL, breaker_until = least(breaker_until, now() - interval '1 ms')
       WHERE client_id = $1`,
      [clientId],
    );
    await this.sql(
      `UPDATE webhook_deliveries SET next_try_at = now() - interval '1 second'
       WHERE client_id = $1 AND status = 'pending' AND (lease_until IS NULL OR lease_until < clock_timestamp())`,
      [clientId],
    );
  }

  private draft(
    recovery: TestRecovery,
    type: EventType,
    { heldUntil, dunningEnabled = true, state }: Booking,
  ): EventDraft {
    const sequence = (this.sequences.get(recovery.id) ?? 0) + 1;
    this.sequences.set(recovery.id, sequence);
    const id = this.ids.prefixed('evt');
    const createdAt = this.clock.now();
    const composed = composeEvent({
      id,
      type,
      createdAt,
      sequence,
      dunningEnabled,
      nextAttemptAt: null,
      openRecoveriesForCustomer: 1,
      recovery: {
        id: recovery.id,
        amountMinor: 2500,
        amountRequestedMinor: 2500,
        currency: 'USD',
        message: 'The card was declined.',
        strategy: 'primary',
        idempotencyKey: `key_${recovery.id}`,
        reference: null,
        customerId: null,
        trigger: 'scheduled_retry',
        gatewayTransactionToken: null,
        attemptCount: 4,
        endReason: state === 'failed' ? 'exhausted' : null,
        round: 1,
        livemode: false,
        isSimulated: false,
        metadata: {},
      },
      advice: {
        recommendedAction: 'request_card_update',
        recommendedActionReason: 'Every retry is spent.',
        recommendedActionDetail: null,
        willRetry: false,
      },
      decline: {
        declineCode: 'do_not_honor',
        declineCategory: 'blended',
        networkDeclineCode: null,
        networkAdviceCode: null,
      },
    });
    return { ...composed, id, sequence, createdAt, heldUntil: heldUntil ?? null };
  }
}
