import type { SealIdentity } from '../platform/crypto/vault.js';
import type { Recovery } from './recovery.js';

type Owner = Pick<Recovery, 'clientId' | 'id'>;

/** What the sealed token is bound to: moved to another row or client, it no longer opens. */
export function tokenIdentity({ clientId, id }: Owner): SealIdentity {
  return { clientId, table: 'recoveries', row: id, column: 'token_sealed' };
}

export function fallbackIdentity({ clientId, id }: Owner): SealIdentity {
  return { clientId, table: 'recoveries', row: id, column: 'fallback_sealed' };
}

export function emailIdentity({ clientId, id }: Owner): SealIdentity {
  return { clientId, table: 'recoveries', row: id, column: 'customer_email_sealed' };
}
