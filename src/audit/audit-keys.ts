import { Injectable } from '@nestjs/common';

import { Vault } from '../platform/crypto/vault.js';
import { type SigningKey, signingKey } from './checkpoint.js';

/**
 * The keys that sign checkpoints, one made of each master key: whoever holds the database and no master key can sign nothing.
 */
@Injectable()
export class AuditKeys {
  /** Made of the master key that seals now. */
  readonly current: SigningKey;
  private readonly known: ReadonlySet<string>;

  constructor(vault: Vault) {
    const [current, ...previous] = vault.subkeys('audit-checkpoints').map(signingKey);
    if (!current) throw new Error('a vault has a master key');
    this.current = current;
    this.known = new Set([current, ...previous].map(({ publicKey }) => publicKey));
  }

  /** Whether this is the public key of the master key, or of one that came before it and is still given. */
  isOurs(publicKey: string): boolean {
    return this.known.has(publicKey);
  }
}
