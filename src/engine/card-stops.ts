import { Injectable } from '@nestjs/common';

import { Database } from '../platform/db/database.js';
import type { CardStop } from './change.js';
import type { Recovery } from './recovery.js';

/** A condition on `card_stops s`: the fingerprint tells a card, and its token does where either has none. */
export function sameCard({ fingerprint, tokenHash }: { fingerprint: string; tokenHash: string }): string {
  return `CASE WHEN s.card_fingerprint IS NULL OR ${fingerprint}::text IS NULL
    THEN s.token_hash = ${tokenHash}::bytea ELSE s.card_fingerprint = ${fingerprint}::text END`;
}

type Charged = Pick<Recovery, 'clientId' | 'debtName' | 'tokenHash' | 'cardFingerprint'>;

/** What a debt remembers of cards that must not be charged again for it. */
@Injectable()
export class CardStops {
  constructor(private readonly database: Database) {}

  /** The strictest stop on the card that would be charged; null when there is none. */
  async find({ clientId, debtName, tokenHash, cardFingerprint }: Charged): Promise<'blocked' | 'stopped' | null> {
    const { rows } = await this.database.query<{ kind: 'blocked' | 'stopped' }>(
      { role: 'tenant', clientId },
      {
        name: 'card_stop',
        text: `SELECT s.kind FROM card_stops s
               WHERE s.client_id = $1 AND s.debt_name = $2 AND ${sameCard({ fingerprint: '$4', tokenHash: '$3' })}
               ORDER BY s.kind LIMIT 1`,
        values: [clientId, debtName, tokenHash, cardFingerprint],
      },
    );
    return rows[0]?.kind ?? null;
  }
}

/** The same rule, for stops that are not stored yet. */
export function isStopped(stops: readonly CardStop[], { tokenHash, cardFingerprint }: Charged): boolean {
  return stops.some((stop) =>
    stop.cardFingerprint === null || cardFingerprint === null
      ? stop.tokenHash.equals(tokenHash)
      : stop.cardFingerprint === cardFingerprint,
  );
}
