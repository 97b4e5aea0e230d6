import type { InboundClient } from '../clients/gateway-webhook-secrets.service.js';
import type { ClaimedEvent, InboundEvent, Worked } from './inbound-event.js';

/** What came in, untouched: a signature is over these bytes. */
export interface InboundRequest {
  bytes: Buffer;
  headers: Readonly<Record<string, string | string[] | undefined>>;
}

export type Proof =
  | { kind: 'genuine' }
  /** `detail` says which of the usual mistakes it may be; it never repeats a secret or a signature. */
  | { kind: 'refused'; field: string; detail: string; accepted: string };

/** A billing platform that sends events: how they are proven, read and worked. One folder each. */
export abstract class BillingPlatform {
  /** As in `/api/connectors/{platform}/webhook/{clientId}`. */
  abstract readonly name: string;

  /** Whether the platform itself has sent this, now. Nothing is stored of what it refuses. */
  abstract prove(request: InboundRequest, client: InboundClient, now: Date): Proof;

  /** Reads a proven body. Never throws: what can not be read is kept as such. */
  abstract read(bytes: Buffer, client: InboundClient, now: Date): Promise<InboundEvent>;

  /**
   * Works events of one client about one subject. They are hints: the subject is read again at the platform before
   * anything is decided, so that every order of the same events ends the same.
   */
  abstract work(events: readonly ClaimedEvent[]): Promise<Worked>;

  /** Events that never arrived since an instant, oldest first; null where the platform does not tell them now. */
  abstract missed(client: InboundClient, since: Date): Promise<InboundEvent[] | null>;
}

/** The platforms of this process, by name. */
export class BillingPlatforms {
  private readonly byName: ReadonlyMap<string, BillingPlatform>;

  constructor(platforms: readonly BillingPlatform[]) {
    this.byName = new Map(platforms.map((platform) => [platform.name, platform]));
  }

  find(name: string): BillingPlatform | null {
    return this.byName.get(name) ?? null;
  }

  get names(): string[] {
    return [...this.byName.keys()];
  }
}
