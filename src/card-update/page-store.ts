import { Injectable } from '@nestjs/common';

import { Database, type Scope } from '../platform/db/database.js';
import type { Link } from './link.js';

const WORKER: Scope = { role: 'worker' };
/** A customer may start over now and then; more in an hour is a machine. */
const PAGES_AN_HOUR = 10;
const LEASE_SECONDS = 60;
/** After the opening, in minutes: the gateway's page is gone after a day. */
const LOOKS_AFTER_MINUTES = [10, 60, 360, 1_500];

/** A page of the gateway that is to be read again. */
export interface DuePage {
  clientId: string;
  id: string;
  sessionId: string;
  looks: number;
  createdAt: Date;
}

/** The gateway's pages that were opened from links. */
@Injectable()
export class PageStore {
  constructor(private readonly database: Database) {}

  /** Takes note that a page is about to be opened. False when the link has had its share for this hour. */
  async begin({ clientId, id: linkId }: Link, pageId: string, realNow: Date): Promise<boolean> {
    return this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      // Two clicks at once are counted one after the other.
      await tx.query({
        text: 'SELECT 1 FROM card_update_links WHERE client_id = $1 AND id = $2 FOR UPDATE',
        values: [clientId, linkId],
      });
      const { rowCount } = await tx.query({
        text: `INSERT INTO card_update_pages (client_id, id, link_id, created_at) SELECT $1, $2, $3, $4::timestamptz
               WHERE (SELECT count(*) FROM card_update_pages WHERE client_id = $1 AND link_id = $3
                        AND created_at > $4::timestamptz - interval '1 hour') < ${PAGES_AN_HOUR}`,
        values: [clientId, pageId, linkId, realNow],
      });
      return rowCount === 1;
    });
  }

  async opened(clientId: string, pageId: string, sessionId: string, realNow: Date): Promise<void> {
    await this.database.query(
      { role: 'tenant', clientId },
      {
        text: `UPDATE card_update_pages SET session_id = $3, look_at = $4 WHERE client_id = $1 AND id = $2`,
        values: [clientId, pageId, sessionId, lookAt(realNow, 0)],
      },
    );
  }

  /** The sessions of a link's other pages, which nobody should use any more. */
  async othersOf({ clientId, id, sessionId }: Link): Promise<string[]> {
    const { rows } = await this.database.query<{ sessionId: string }>(
      { role: 'tenant', clientId },
      {
        text: `SELECT session_id AS "sessionId" FROM card_update_pages
               WHERE client_id = $1 AND link_id = $2 AND session_id <> $3 AND look_at IS NOT NULL`,
        values: [clientId, id, sessionId],
      },
    );
    return rows.map((row) => row.sessionId);
  }

  /** Nobody has to look at the link's pages again. */
  async forget(clientId: string, linkId: string): Promise<void> {
    const text = 'UPDATE card_update_pages SET look_at = NULL WHERE client_id = $1 AND link_id = $2';
    await this.database.query({ role: 'tenant', clientId }, { text, values: [clientId, linkId] });
  }

  /** Takes one page that is to be read; should this process die, it is due again after a minute. */
  async claimDue(realNow: Date): Promise<DuePage | null> {
    const { rows } = await this.database.query<DuePage & Record<string, unknown>>(WORKER, {
      name: 'claim_card_update_page',
      text: `UPDATE card_update_pages p SET look_at = $1::timestamptz + interval '${LEASE_SECONDS} s'
             FROM (SELECT client_id, id FROM card_update_pages WHERE look_at <= $1
                   ORDER BY look_at LIMIT 1 FOR UPDATE SKIP LOCKED) due
             WHERE p.client_id = due.client_id AND p.id = due.id
             RETURNING p.client_id AS "clientId", p.id, p.session_id AS "sessionId", p.looks, p.created_at AS "createdAt"`,
      values: [realNow],
    });
    return rows[0] ?? null;
  }

  /** Sets the next look, where there is one. */
  async looked({ clientId, id, looks, createdAt }: DuePage): Promise<void> {
    await this.database.query(WORKER, {
      name: 'card_update_page_looked_at',
      text: 'UPDATE card_update_pages SET looks = $3, look_at = $4 WHERE client_id = $1 AND id = $2',
      values: [clientId, id, looks + 1, lookAt(createdAt, looks + 1)],
    });
  }
}

function lookAt(openedAt: Date, looks: number): Date | null {
  const minutes = LOOKS_AFTER_MINUTES[looks];
  return minutes === undefined ? null : new Date(openedAt.getTime() + minutes * 60_000);
}
