import { Injectable } from '@nestjs/common';

import type { AlertAccount } from '../clients/alert-accounts.service.js';
import type { Transaction } from '../platform/db/database.js';
import type { Channel } from './alert.js';

/** Stands for every kind: a STOP by text message makes no difference between them. */
export const EVERY_KIND = '*';

export interface OptOut {
  channel: Channel;
  target: string;
  kind: string;
}

/** Who wants to hear no more, of one kind or of all. */
@Injectable()
export class OptOuts {
  async add(tx: Transaction, clientId: string, { channel, target, kind }: OptOut, now: Date): Promise<void> {
    await tx.query({
      text: `INSERT INTO alert_opt_outs (client_id, channel, target, kind, reason, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
      values: [clientId, channel, target, kind, kind === EVERY_KIND ? 'stop' : 'unsubscribed', now],
    });
  }

  /**
   * The opt-outs of a client. Those of addresses that the client has taken off its list are forgotten first: whoever puts
   * one back means it.
   */
  async read(tx: Transaction, { clientId, emails, phones }: AlertAccount): Promise<OptOut[]> {
    await tx.query({
      text: `DELETE FROM alert_opt_outs
             WHERE client_id = $1 AND NOT (target = ANY (CASE channel WHEN 'EMAIL' THEN $2::text[] ELSE $3::text[] END))`,
      values: [clientId, emails, phones],
    });
    const { rows } = await tx.query<OptOut & Record<string, unknown>>({
      text: 'SELECT channel, target, kind FROM alert_opt_outs WHERE client_id = $1',
      values: [clientId],
    });
    return rows;
  }
}

/** Whether an address of a channel may be told of a kind. */
export function isOptedOut(optOuts: readonly OptOut[], channel: Channel, target: string | null, kind: string): boolean {
  return optOuts.some(
    (each) => each.channel === channel && each.target === target && (each.kind === kind || each.kind === EVERY_KIND),
  );
}
