import { Injectable } from '@nestjs/common';

import { Database, type Scope, type Transaction, violatedUnique } from '../../platform/db/database.js';

const WORKER: Scope = { role: 'worker' };
/** Real time. Stripe's own page is left open during a coffee, not overnight. */
export const STATE_LIFETIME_MS = 15 * 60_000;
/** How long a process may take for one turn of stopping; then another goes on with it. */
const STOP_LEASE = `interval '30 seconds'`;

/** One row of `stripe_connections`. */
export interface Connection {
  clientId: string;
  accountId: string;
  scope: string;
  endpointId: string | null;
  endpointUrl: string | null;
  connectedAt: Date;
  disconnectedAt: Date | null;
  disconnectedBy: 'merchant' | 'stripe' | null;
}

const COLUMNS = `client_id AS "clientId", account_id AS "accountId", scope, endpoint_id AS "endpointId",
  endpoint_url AS "endpointUrl", connected_at AS "connectedAt", disconnected_at AS "disconnectedAt",
  disconnected_by AS "disconnectedBy"`;

/** The account is connected to another client already. */
export class AccountTaken extends Error {}

@Injectable()
export class ConnectStore {
  constructor(private readonly database: Database) {}

  /** Keeps a begun connection. What a client began and did not finish is forgotten with the next one. */
  async begin(clientId: string, stateHash: Buffer, now: Date): Promise<void> {
    const expiresAt = new Date(now.getTime() + STATE_LIFETIME_MS);
    await this.database.flight({ role: 'tenant', clientId }, [
      { text: 'DELETE FROM stripe_connect_states WHERE client_id = $1 AND expires_at < $2', values: [clientId, now] },
      {
        text: `INSERT INTO stripe_connect_states (client_id, state_hash, created_at, expires_at) VALUES ($1, $2, $3, $4)`,
        values: [clientId, stateHash, now, expiresAt],
      },
    ]);
  }

  /** Whose connection it is; null for a state that is unknown, used or too old. Changes nothing. */
  async peek(stateHash: Buffer, now: Date): Promise<string | null> {
    const { rows } = await this.database.query<{ clientId: string }>(WORKER, {
      text: `SELECT client_id AS "clientId" FROM stripe_connect_states
             WHERE state_hash = $1 AND used_at IS NULL AND expires_at > $2`,
      values: [stateHash, now],
    });
    return rows[0]?.clientId ?? null;
  }

  /** The same, once: whoever comes second gets null. */
  async use(stateHash: Buffer, now: Date): Promise<string | null> {
    const { rows } = await this.database.query<{ clientId: string }>(WORKER, {
      text: `UPDATE stripe_connect_states SET used_at = $2
             WHERE state_hash = $1 AND used_at IS NULL AND expires_at > $2 RETURNING client_id AS "clientId"`,
      values: [stateHash, now],
    });
    return rows[0]?.clientId ?? null;
  }

  async find(clientId: string): Promise<Connection | null> {
    const { rows } = await this.database.query<Connection & Record<string, unknown>>(
      { role: 'tenant', clientId },
      { text: `SELECT ${COLUMNS} FROM stripe_connections WHERE client_id = $1`, values: [clientId] },
    );
    return rows[0] ?? null;
  }

  /** Stores a connection with what `also` writes, or neither. @throws {AccountTaken} */
  async connect(made: Omit<Connection, 'disconnectedAt' | 'disconnectedBy'>, also: (tx: Transaction) => Promise<void>) {
    const { clientId, accountId, scope, endpointId, endpointUrl, connectedAt } = made;
    try {
      await this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
        await tx.query({
          text: `INSERT INTO stripe_connections (client_id, account_id, scope, endpoint_id, endpoint_url, connected_at)
                 VALUES ($1, $2, $3, $4, $5, $6)
                 ON CONFLICT (client_id) DO UPDATE SET account_id = excluded.account_id, scope = excluded.scope,
                   endpoint_id = excluded.endpoint_id, endpoint_url = excluded.endpoint_url,
                   connected_at = excluded.connected_at, disconnected_at = NULL, disconnected_by = NULL, stop_due_at = NULL`,
          values: [clientId, accountId, scope, endpointId, endpointUrl, connectedAt],
        });
        await also(tx);
      });
    } catch (error) {
      if (violatedUnique(error) === 'stripe_connections_one_client')
        throw new AccountTaken(undefined, { cause: error });
      throw error;
    }
  }

  /** Ends a connection with what `also` writes. False when there is none to end. */
  async disconnect(
    clientId: string,
    by: 'merchant' | 'stripe',
    now: Date,
    also: (tx: Transaction) => Promise<void>,
  ): Promise<boolean> {
    return this.database.transaction({ role: 'tenant', clientId }, async (tx) => {
      const { rowCount } = await tx.query({
        text: `UPDATE stripe_connections SET disconnected_at = $2, disconnected_by = $3, stop_due_at = $2
               WHERE client_id = $1 AND disconnected_at IS NULL`,
        values: [clientId, now, by],
      });
      if (rowCount === 1) await also(tx);
      return rowCount === 1;
    });
  }

  /** A client whose recoveries are still to be ended; due again should this process die. */
  async claimStop(now: Date): Promise<string | null> {
    const { rows } = await this.database.query<{ clientId: string }>(WORKER, {
      name: 'claim_connection_stop',
      text: `UPDATE stripe_connections c SET stop_due_at = $1::timestamptz + ${STOP_LEASE}
             FROM (SELECT client_id FROM stripe_connections WHERE stop_due_at <= $1
                   ORDER BY stop_due_at LIMIT 1 FOR UPDATE SKIP LOCKED) due
             WHERE c.client_id = due.client_id RETURNING c.client_id AS "clientId"`,
      values: [now],
    });
    return rows[0]?.clientId ?? null;
  }

  /** When to look again; null when all of it is stopped. */
  async stopped(clientId: string, dueAt: Date | null): Promise<void> {
    await this.database.query(WORKER, {
      name: 'connection_stopped',
      text: `UPDATE stripe_connections SET stop_due_at = $2 WHERE client_id = $1 AND stop_due_at IS NOT NULL`,
      values: [clientId, dueAt],
    });
  }
}
