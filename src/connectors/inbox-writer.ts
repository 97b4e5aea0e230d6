import { Injectable } from '@nestjs/common';

import { Database, isRowRefused } from '../platform/db/database.js';
import { Log } from '../platform/logging/log.js';
import type { ReceivedEvent } from './inbound-event.js';

/** Two statements on their way: while one commits the next is filled. More of them would make each smaller. */
const FLIGHTS_MAX = 2;
const ROWS_MAX = 128;

interface Waiting {
  event: ReceivedEvent;
  stored: () => void;
  failed: (error: unknown) => void;
}

/**
 * Stores received events by group commit: whatever waits when a flight lands goes with the next one. Nothing waits for a
 * timer, so that a lone event is stored at once, and a storm costs one commit for many.
 */
@Injectable()
export class InboxWriter {
  private readonly waiting: Waiting[] = [];
  private flights = 0;

  constructor(
    private readonly database: Database,
    private readonly log: Log,
  ) {}

  /** Resolves once the event is committed, or was there before. @throws what the database did. */
  write(event: ReceivedEvent): Promise<void> {
    return new Promise((stored, failed) => {
      this.waiting.push({ event, stored, failed });
      this.pump();
    });
  }

  private pump(): void {
    while (this.flights < FLIGHTS_MAX && this.waiting.length > 0) {
      this.flights += 1;
      const batch = this.waiting.splice(0, ROWS_MAX);
      void this.fly(batch).finally(() => {
        this.flights -= 1;
        this.pump();
      });
    }
  }

  private async fly(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.insert(batch.map(({ event }) => event));
      for (const { stored } of batch) stored();
    } catch (error) {
      // Whatever else it is (away, too slow, locked), nothing stands and nobody is told otherwise: they send again.
      if (isRowRefused(error)) await this.oneByOne(batch);
      else for (const { failed } of batch) failed(error);
    }
  }

  /** One row that the database refuses must not fail its neighbours: it is kept without its facts. */
  private async oneByOne(batch: readonly Waiting[]): Promise<void> {
    for (const { event, stored, failed } of batch) {
      try {
        await this.insert([event]).catch((error: unknown) => {
          if (!isRowRefused(error)) throw error;
          this.log.error('inbox.row_refused', { clientId: event.clientId, eventId: event.eventId }, error);
          return this.insert([{ ...event, subject: 'none', facts: {}, ignored: 'unreadable' }]);
        });
        stored();
      } catch (error) {
        failed(error);
      }
    }
  }

  private async insert(events: readonly ReceivedEvent[]): Promise<void> {
    const column = (of: (event: ReceivedEvent) => unknown) => events.map(of);
    await this.database.query(
      { role: 'worker' },
      {
        name: 'receive_events',
        text: RECEIVE,
        values: [
          column(({ clientId }) => clientId),
          column(({ platform }) => platform),
          column(({ eventId }) => eventId),
          column(({ type }) => type),
          column(({ subject }) => subject),
          column(({ facts }) => JSON.stringify(facts)),
          column(({ ignored }) => ignored),
          column(({ receivedAt }) => receivedAt),
        ],
      },
    );
  }
}

const RECEIVE = `
  INSERT INTO connector_events (client_id, platform, event_id, type, subject, facts, status, outcome, due_at, received_at)
  SELECT n.client_id, n.platform, n.event_id, n.type, n.subject, n.facts,
         CASE WHEN n.ignored IS NULL THEN 'pending' ELSE 'ignored' END, n.ignored,
         CASE WHEN n.ignored IS NULL THEN n.received_at END, n.received_at
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[], $7::text[], $8::timestamptz[])
    AS n (client_id, platform, event_id, type, subject, facts, ignored, received_at)
  ON CONFLICT DO NOTHING`;
