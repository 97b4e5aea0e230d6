import type { SealIdentity } from '../platform/crypto/vault.js';

/** How long a link may be used: a weekend and a day. On the client's clock. */
export const LINK_LIFETIME_MS = 72 * 60 * 60 * 1_000;

/** One row of `card_update_links`. */
export interface Link {
  clientId: string;
  id: string;
  gatewayCustomerId: string;
  replacedTokenHash: Buffer;
  recoveryId: string | null;
  currency: string;
  returnUrl: string | null;
  state: 'open' | 'saved' | 'done';
  sessionId: string | null;
  newTokenSealed: Buffer | null;
  defaultPlace: string | null;
  /** The recoveries that are charged to the new card; null before that was found out. */
  recoveryIds: string[] | null;
  outcomes: Record<string, string>;
  expiresAt: Date;
  failedTries: number;
  leaseToken: string;
}

/** May still be used by its customer. @param now on the client's clock. */
export function isUsable({ state, expiresAt }: Pick<Link, 'state' | 'expiresAt'>, now: Date): boolean {
  return state === 'open' && expiresAt > now;
}

/** What the sealed card is bound to. */
export function newTokenIdentity({ clientId, id }: Pick<Link, 'clientId' | 'id'>): SealIdentity {
  return { clientId, table: 'card_update_links', row: id, column: 'new_token_sealed' };
}
