import { CHAIN_START, digestOf, type EventRow, linkHash } from './event-digest.js';

/** What is wrong with an audit chain, and where. */
export interface Offence {
  kind: OffenceKind;
  clientId: string;
  transactionId: string | null;
  detail: string;
}

export type OffenceKind =
  /** A link names an event that reads otherwise now. */
  | 'event_changed'
  /** A link names an event that is gone. */
  | 'event_missing'
  /** An event stands among those that are linked, and has no link. */
  | 'event_not_linked'
  /** A link does not follow from the one before it. */
  | 'link_changed'
  /** A number is missing among the links. */
  | 'link_missing'
  /** The chain does not end where its signed head says. */
  | 'head_mismatch'
  /** The head was not signed by a key of ours. */
  | 'signature_invalid'
  /** Events wait to be linked, and nobody has linked any for long. */
  | 'chain_behind';

/** One link as it is stored, with the event it names as that reads now. */
export interface StoredLink {
  number: number;
  recoveryId: string;
  sequence: string;
  digest: Buffer;
  hash: Buffer;
  /** Null when there is no such event. */
  event: EventRow | null;
}

/** Where a chain ends, by its signed head. */
export interface Head {
  number: number;
  hash: Buffer;
}

/**
 * Walks one client's chain from its first link to its head, and tells what does not hold. After a broken link it goes on from
 * what is stored, so that one change is told where it was made and not of every link behind it.
 */
export class ChainWalk {
  private number = 0;
  private hash: Buffer = CHAIN_START;

  constructor(private readonly clientId: string) {}

  /** Takes the next stored link. */
  next(link: StoredLink): Offence[] {
    const offences: Offence[] = [];
    const missing = link.number !== this.number + 1;
    if (missing) offences.push(this.offence('link_missing', null, `link ${this.number + 1} is missing`));
    const at = `link ${link.number}, step ${link.sequence}`;
    if (link.event === null) offences.push(this.offence('event_missing', link.recoveryId, `${at}: the event is gone`));
    else if (!digestOf(link.event).equals(link.digest))
      offences.push(this.offence('event_changed', link.recoveryId, `${at}: the event was changed`));
    // Behind a gap nothing can be said of the hash: what it was made of is gone.
    if (!missing && !linkHash(this.hash, link.number, link.digest).equals(link.hash))
      offences.push(this.offence('link_changed', link.recoveryId, `${at} does not follow from the one before it`));
    this.number = link.number;
    this.hash = link.hash;
    return offences;
  }

  /** After the last link. */
  end(head: Head): Offence[] {
    if (this.number === head.number && this.hash.equals(head.hash)) return [];
    const detail = `the signed head is link ${head.number}, the chain ends at ${this.number}`;
    return [this.offence('head_mismatch', null, this.number === head.number ? 'the last link is another one' : detail)];
  }

  private offence(kind: OffenceKind, transactionId: string | null, detail: string): Offence {
    return { kind, clientId: this.clientId, transactionId, detail };
  }
}
