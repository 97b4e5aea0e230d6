import { Injectable } from '@nestjs/common';

import { Database, type Scope } from '../platform/db/database.js';
import type { Link } from './link.js';

const WORKER: Scope = { role: 'worker' };
/** Longer than any step of a saved card may take: a few gateway calls, or one charge. */
const LEASE_SECONDS = 90;

const COLUMNS = `l.client_id AS "clientId", l.id, l.gateway_customer_id AS "gatewayCustomerId",
  l.replaced_token_hash AS "replacedTokenHash", l.recovery_id AS "recoveryId", l.currency, l.return_url AS "returnUrl",
  l.state, l.session_id AS "sessionId", l.new_token_sealed AS "newTokenSealed", l.default_place AS "defaultPlace",
  l.recovery_ids AS "recoveryIds", l.outcomes, l.expires_at AS "expiresAt", l.failed_tries AS "failedTries",
  l.lease_token AS "leaseToken"`;

/** A new link. Its token is kept as a hash only. */
export type NewLink = Pick<
  Link,
  'clientId' | 'id' | 'gatewayCustomerId' | 'replacedTokenHash' | 'recoveryId' | 'currency' | 'returnUrl' | 'expiresAt'
> & { tokenHash: Buffer; createdAt: Date };

/** A change of one step; what is not named stays. */
export type LinkPatch = Partial<Pick<Link, 'defaultPlace' | 'recoveryIds' | 'outcomes' | 'failedTries'>> & {
  state?: 'done';
  lastError?: string | null;
  /** Real time. */
  dueAt: Date | null;
};

type LinkRow = Link & Record<string, unknown>;

/** The rows of card-update links. */
@Injectable()
export class LinkStore {
  constructor(private readonly database: Database) {}

  async insert(link: NewLink): Promise<void> {
    const { clientId, id, tokenHash, gatewayCustomerId, replacedTokenHash } = link;
    const { recoveryId, currency, returnUrl, createdAt, expiresAt } = link;
    await this.database.query(
      { role: 'tenant', clientId },
      {
        text: `INSERT INTO card_update_links (client_id, id, token_hash, gateway_customer_id, replaced_token_hash,
                 recovery_id, currency, return_url, created_at, expires_at)
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
        values: [
          ...[clientId, id, tokenHash, gatewayCustomerId, replacedTokenHash],
          ...[recoveryId, currency, returnUrl, createdAt, expiresAt],
        ],
      },
    );
  }

  /** By the token's hash, whatever state the link is in; the client is not known before. */
  async byToken(tokenHash: Buffer): Promise<Link | null> {
    const text = `SELECT ${COLUMNS} FROM card_update_links l WHERE l.token_hash = $1`;
    const { rows } = await this.database.query<LinkRow>(WORKER, { text, values: [tokenHash] });
    return rows[0] ?? null;
  }

  async bySession(clientId: string, sessionId: string): Promise<Link | null> {
    const text = `SELECT ${COLUMNS} FROM card_update_pages p
      JOIN card_update_links l ON l.client_id = p.client_id AND l.id = p.link_id
      WHERE p.client_id = $1 AND p.session_id = $2`;
    const { rows } = await this.database.query<LinkRow>(
      { role: 'tenant', clientId },
      { text, values: [clientId, sessionId] },
    );
    return rows[0] ?? null;
  }

  /** Takes the card that came by a page: the first one counts. False when the link had one already. */
  async save(
    { clientId, id }: Link,
    card: { sessionId: string; sealed: Buffer; at: Date; realNow: Date },
  ): Promise<boolean> {
    const { rowCount } = await this.database.query(
      { role: 'tenant', clientId },
      {
        text: `UPDATE card_update_links SET state = 'saved', session_id = $3, new_token_sealed = $4, saved_at = $5, due_at = $6
               WHERE client_id = $1 AND id = $2 AND state = 'open'`,
        values: [clientId, id, card.sessionId, card.sealed, card.at, card.realNow],
      },
    );
    return rowCount === 1;
  }

  /** Claims one link whose next step is due: what a process that died had claimed is due again when its lease ran out. */
  async claimDue(realNow: Date): Promise<Link | null> {
    const { rows } = await this.database.query<LinkRow>(WORKER, {
      name: 'claim_card_update',
      text: `UPDATE card_update_links l SET lease_token = l.lease_token + 1,
               lease_until = clock_timestamp() + interval '${LEASE_SECONDS} s'
             FROM (SELECT client_id, id FROM card_update_links
                   WHERE due_at <= $1 AND (lease_until IS NULL OR lease_until < clock_timestamp())
                   ORDER BY due_at LIMIT 1 FOR UPDATE SKIP LOCKED) due
             WHERE l.client_id = due.client_id AND l.id = due.id RETURNING ${COLUMNS}`,
      values: [realNow],
    });
    return rows[0] ?? null;
  }

  /** Writes what a step came to and hands the lease back; nothing when another process has taken the link over. */
  async finishStep({ clientId, id, leaseToken }: Link, patch: LinkPatch): Promise<void> {
    const { state, defaultPlace, recoveryIds, outcomes, failedTries, lastError, dueAt } = patch;
    await this.database.query(WORKER, {
      name: 'finish_card_update_step',
      text: `UPDATE card_update_links SET state = coalesce($4, state), default_place = coalesce($5, default_place),
               recovery_ids = coalesce($6, recovery_ids), outcomes = coalesce($7::jsonb, outcomes),
               failed_tries = coalesce($8, failed_tries), last_error = $9, due_at = $10, lease_until = NULL
             WHERE client_id = $1 AND id = $2 AND lease_token = $3`,
      values: [
        ...[clientId, id, leaseToken, state ?? null, defaultPlace ?? null, recoveryIds ?? null],
        ...[outcomes === undefined ? null : JSON.stringify(outcomes), failedTries ?? null, lastError ?? null, dueAt],
      ],
    });
  }
}
