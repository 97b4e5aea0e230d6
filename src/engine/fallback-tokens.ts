import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';

import { Vault } from '../platform/crypto/vault.js';
import { needsMandate } from '../recovery/first-step.js';
import { CardLedger } from './card-ledger.js';
import { CardStops, isStopped } from './card-stops.js';
import { quietly, type Change } from './change.js';
import { fallbackIdentity, tokenIdentity } from './token-identity.js';
import { callOptions } from './debt-reader.js';
import type { Recovery } from './recovery.js';
import type { WorkContext } from './work-context.js';

/** The other payment methods that the customer consented to, tried in the order the merchant gave. */
@Injectable()
export class FallbackTokens {
  constructor(
    private readonly vault: Vault,
    private readonly stops: CardStops,
    private readonly ledger: CardLedger,
  ) {}

  /**
   * Makes the next fallback token the one that is charged. Passed over are the card just charged, one that this debt
   * must not be charged to, one that its country lets nobody charge off-session, one whose network's limits are full, and
   * a token that the gateway does not know: with none left, `fallbackLeft` is 0 and the card stays what it was.
   */
  async take(change: Change, context: WorkContext): Promise<{ kind: 'taken' | 'none'; change: Change }> {
    const tokens = this.tokensLeft(change.recovery);
    for (const [index, token] of tokens.entries()) {
      const left = tokens.slice(index + 1);
      const fitted = await this.fitted(change.recovery, token, left, context);
      if (fitted && (await this.mayCharge(change, fitted, context.now())))
        return { kind: 'taken', change: quietly(change, fitted) };
    }
    return { kind: 'none', change: quietly(change, { fallbackSealed: null, fallbackLeft: 0 }) };
  }

  private tokensLeft(recovery: Recovery): string[] {
    if (recovery.fallbackSealed === null) return [];
    return JSON.parse(this.vault.open(recovery.fallbackSealed, fallbackIdentity(recovery))) as string[];
  }

  /** The recovery with this token; null for one that the gateway does not know. */
  private async fitted(
    recovery: Recovery,
    token: string,
    left: string[],
    context: WorkContext,
  ): Promise<Recovery | null> {
    const read = await context.gateway.readPaymentMethod(context.account, token, callOptions(context));
    if (read.kind === 'not_found' || read.kind === 'rejected') return null;
    const card = read.kind === 'found' ? read.value.card : null;
    return {
      ...recovery,
      tokenSealed: this.vault.seal(token, tokenIdentity(recovery)),
      tokenHash: hashToken(recovery.clientId, token),
      card,
      cardFingerprint: card?.fingerprint ?? null,
      tokenReusable: true,
      fallbackSealed: sealFallbacks(this.vault, recovery, left),
      fallbackLeft: left.length,
      strategy: 'fallback_token',
    };
  }

  private async mayCharge({ recovery, cardStops }: Change, fitted: Recovery, now: Date): Promise<boolean> {
    if (sameCard(recovery, fitted) || isStopped(cardStops, fitted) || needsMandate(fitted.card?.country)) return false;
    if ((await this.stops.find(fitted)) !== null) return false;
    return (await this.ledger.hold(fitted, now)) === null;
  }
}

/** Seals the tokens that are left; null when there are none. */
export function sealFallbacks(
  vault: Vault,
  owner: Pick<Recovery, 'clientId' | 'id'>,
  tokens: readonly string[],
): Buffer | null {
  return tokens.length === 0 ? null : vault.seal(JSON.stringify(tokens), fallbackIdentity(owner));
}

/** The fingerprint tells a card, and its token does where either has none. */
export function sameCard(a: CardKept, b: CardKept): boolean {
  if (a.cardFingerprint !== null && b.cardFingerprint !== null) return a.cardFingerprint === b.cardFingerprint;
  return a.tokenHash.equals(b.tokenHash);
}

type CardKept = Pick<Recovery, 'cardFingerprint' | 'tokenHash'>;

/** Finds a token again without holding it: SHA-256 over client and token. */
export function hashToken(clientId: string, token: string): Buffer {
  return createHash('sha256').update(`${clientId}\0${token}`).digest();
}
