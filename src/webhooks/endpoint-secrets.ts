import { Injectable } from '@nestjs/common';

import { Vault, type SealIdentity } from '../platform/crypto/vault.js';
import type { EndpointSecrets } from './signature.js';

/** What is needed to call an endpoint, as its row holds it. */
export interface SealedEndpoint {
  clientId: string;
  /** `we_…` */
  id: string;
  url: string;
  secretSealed: Buffer;
  previousSecretSealed: Buffer | null;
  previousSecretUntil: Date | null;
  headersSealed: Buffer | null;
}

export interface OpenEndpoint {
  secrets: EndpointSecrets;
  /** The merchant's own, sent with each delivery. */
  headers: Readonly<Record<string, string>>;
}

export type SealedColumn = 'secret_sealed' | 'previous_secret_sealed' | 'headers_sealed';

/** A value moved to another column, row or client does not open. */
export function endpointSeal(clientId: string, endpointId: string, column: SealedColumn): SealIdentity {
  return { clientId, table: 'webhook_endpoints', row: endpointId, column };
}

const KEPT_MAX = 1_000;

/** Opens what endpoints have sealed, once per change: a busy endpoint would cost three decryptions a delivery. */
@Injectable()
export class EndpointVault {
  private readonly kept = new Map<string, { sealed: SealedEndpoint; open: OpenEndpoint }>();

  constructor(private readonly vault: Vault) {}

  /** @throws when the master key is another, or the row was tampered with. */
  open(sealed: SealedEndpoint): OpenEndpoint {
    const known = this.kept.get(sealed.id);
    if (known && isSame(known.sealed, sealed)) {
      known.sealed = sealed;
      return known.open;
    }
    const open = this.decrypt(sealed);
    if (this.kept.size >= KEPT_MAX) this.kept.clear();
    this.kept.set(sealed.id, { sealed, open });
    return open;
  }

  sealSecret(clientId: string, endpointId: string, secret: string): Buffer {
    return this.vault.seal(secret, endpointSeal(clientId, endpointId, 'secret_sealed'));
  }

  sealHeaders(clientId: string, endpointId: string, headers: Readonly<Record<string, string>>): Buffer | null {
    if (Object.keys(headers).length === 0) return null;
    return this.vault.seal(JSON.stringify(headers), endpointSeal(clientId, endpointId, 'headers_sealed'));
  }

  /** The current secret, sealed anew for the column of the previous one. */
  resealAsPrevious(sealed: SealedEndpoint): Buffer {
    const secret = this.open(sealed).secrets.current;
    return this.vault.seal(secret, endpointSeal(sealed.clientId, sealed.id, 'previous_secret_sealed'));
  }

  private decrypt(sealed: SealedEndpoint): OpenEndpoint {
    const openColumn = (bytes: Buffer, column: SealedColumn) =>
      this.vault.open(bytes, endpointSeal(sealed.clientId, sealed.id, column));
    const { previousSecretSealed, previousSecretUntil, headersSealed } = sealed;
    return {
      secrets: {
        current: openColumn(sealed.secretSealed, 'secret_sealed'),
        previous:
          previousSecretSealed && previousSecretUntil
            ? { secret: openColumn(previousSecretSealed, 'previous_secret_sealed'), until: previousSecretUntil }
            : null,
      },
      headers: headersSealed ? headersFrom(openColumn(headersSealed, 'headers_sealed')) : {},
    };
  }
}

function headersFrom(text: string): Record<string, string> {
  return JSON.parse(text) as Record<string, string>;
}

function isSame(one: SealedEndpoint, other: SealedEndpoint): boolean {
  // One claim's deliveries to an endpoint share what it holds.
  if (one === other) return true;
  return (
    one.clientId === other.clientId &&
    one.secretSealed.equals(other.secretSealed) &&
    isSameOrNone(one.previousSecretSealed, other.previousSecretSealed) &&
    isSameOrNone(one.headersSealed, other.headersSealed) &&
    one.previousSecretUntil?.getTime() === other.previousSecretUntil?.getTime()
  );
}

function isSameOrNone(one: Buffer | null, other: Buffer | null): boolean {
  return one === null || other === null ? one === other : one.equals(other);
}
