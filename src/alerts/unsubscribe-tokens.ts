import { Injectable } from '@nestjs/common';

import { type SealIdentity, SealBroken, Vault } from '../platform/crypto/vault.js';
import type { Channel } from './alert.js';

export interface Unsubscription {
  clientId: string;
  channel: Channel;
  target: string;
  kind: string;
}

/** What a path parameter may hold (platform/http/http-app.ts). */
const LENGTH_MAX = 300;
const FORM = /^(cli_[0-9A-HJKMNP-TV-Z]{26})\.([A-Za-z0-9_-]{40,300})$/;

/** Links that unsubscribe: sealed, so that nobody can make one for another's address, and nothing has to be stored. */
@Injectable()
export class UnsubscribeTokens {
  constructor(private readonly vault: Vault) {}

  /** Null for an address so long that no path of ours would take the link. */
  make({ clientId, channel, target, kind }: Unsubscription): string | null {
    const sealed = this.vault.seal(JSON.stringify([channel, target, kind]), identityOf(clientId));
    const token = `${clientId}.${sealed.toString('base64url')}`;
    return token.length > LENGTH_MAX ? null : token;
  }

  /** Null for a token that we did not make. */
  read(token: string): Unsubscription | null {
    const [, clientId, sealed] = FORM.exec(token) ?? [];
    if (clientId === undefined || sealed === undefined) return null;
    try {
      const text = this.vault.open(Buffer.from(sealed, 'base64url'), identityOf(clientId));
      const [channel, target, kind] = JSON.parse(text) as [Channel, string, string];
      return { clientId, channel, target, kind };
    } catch (error) {
      if (error instanceof SealBroken) return null;
      throw error;
    }
  }
}

function identityOf(clientId: string): SealIdentity {
  return { clientId, table: 'alert_opt_outs', row: 'link', column: 'token' };
}
