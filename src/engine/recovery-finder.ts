import { Injectable } from '@nestjs/common';

import { Database } from '../platform/db/database.js';
import { recoveryFromRow, type Recovery } from './recovery.js';
import { columnsFrom, IS_OPEN, RECOVERY_COLUMNS } from './recovery-sql.js';

const ALL = columnsFrom('r', RECOVERY_COLUMNS);

// Each name has an index of its own: with OR between them, none would serve.
const NEWEST = `
  SELECT * FROM (
    (SELECT ${ALL} FROM recoveries r WHERE r.client_id = $1 AND r.debt_name = $2 ORDER BY r.id DESC LIMIT 1)
    UNION ALL
    (SELECT ${ALL} FROM recoveries r WHERE r.client_id = $1 AND r.payment_object_id = $2 ORDER BY r.id DESC LIMIT 1)
    UNION ALL
    (SELECT ${ALL} FROM recoveries r WHERE r.client_id = $1 AND r.original_resolved = $2 ORDER BY r.id DESC LIMIT 1)) found
  ORDER BY id DESC LIMIT 1`;

/** Finds the recoveries that something at the gateway is about. */
@Injectable()
export class RecoveryFinder {
  constructor(private readonly database: Database) {}

  /** The newest recovery of an invoice or payment: it alone speaks for the debt. */
  async newestOf(clientId: string, objectId: string): Promise<Recovery | null> {
    const [found] = await this.find(clientId, { name: 'newest_of_object', text: NEWEST, values: [clientId, objectId] });
    return found ?? null;
  }

  async byId(clientId: string, id: string): Promise<Recovery | null> {
    const text = `SELECT ${ALL} FROM recoveries r WHERE r.client_id = $1 AND r.id = $2`;
    const [found] = await this.find(clientId, { text, values: [clientId, id] });
    return found ?? null;
  }

  /** Recoveries of a customer's debts, the newest of each debt, as the merchant or the platform names the customer. */
  async newestOfCustomer(clientId: string, customerId: string): Promise<Recovery[]> {
    const text = `SELECT DISTINCT ON (r.debt_name) ${ALL} FROM recoveries r
      WHERE r.client_id = $1 AND r.customer_id = $2 ORDER BY r.debt_name, r.id DESC`;
    return this.find(clientId, { name: 'newest_of_customer', text, values: [clientId, customerId] });
  }

  /** The newest recovery of each debt that would charge, or last charged, this payment method. */
  async newestOfToken(clientId: string, tokenHash: Buffer): Promise<Recovery[]> {
    const text = `SELECT DISTINCT ON (r.debt_name) ${ALL} FROM recoveries r
      WHERE r.client_id = $1 AND r.token_hash = $2 ORDER BY r.debt_name, r.id DESC`;
    return this.find(clientId, { name: 'newest_of_token', text, values: [clientId, tokenHash] });
  }

  /** Open recoveries that would charge a card. Rare: after a dispute. */
  async openOfCard(clientId: string, fingerprint: string): Promise<Recovery[]> {
    const text = `SELECT ${ALL} FROM recoveries r WHERE r.client_id = $1 AND r.card_fingerprint = $2 AND r.${IS_OPEN}`;
    return this.find(clientId, { text, values: [clientId, fingerprint] });
  }

  /** True where the timeline has a step of this type. */
  async hasStep({ clientId, id }: Recovery, type: string): Promise<boolean> {
    const text = `SELECT EXISTS (SELECT FROM recovery_events
      WHERE client_id = $1 AND recovery_id = $2 AND type = $3) AS has`;
    const scope = { role: 'tenant', clientId } as const;
    const { rows } = await this.database.query<{ has: boolean }>(scope, { text, values: [clientId, id, type] });
    return rows[0]?.has === true;
  }

  private async find(
    clientId: string,
    statement: { name?: string; text: string; values: unknown[] },
  ): Promise<Recovery[]> {
    const { rows } = await this.database.query({ role: 'tenant', clientId }, statement);
    return rows.map((row) => recoveryFromRow(row as Record<string, unknown>));
  }
}
