import { createHash } from 'node:crypto';

/**
 * One row of the timeline, every column of it, as text that PostgreSQL writes the same way for the same value: the instant in
 * microseconds since 1970, `inputs` as jsonb prints itself, numbers in decimal.
 */
export interface EventRow {
  clientId: string;
  recoveryId: string;
  sequence: string;
  atMicros: string;
  type: string;
  fromState: string | null;
  toState: string;
  rule: string;
  inputs: string;
  actor: string;
  /** The transaction that wrote it. */
  writtenIn: string;
}

/** What the first link of a chain follows. */
export const CHAIN_START: Buffer = Buffer.alloc(32);

/** SHA-256 of an event. A JSON array can not be read in two ways, as joined text can. */
export function digestOf(event: EventRow): Buffer {
  const { clientId, recoveryId, sequence, atMicros, type, fromState, toState, rule, inputs, actor, writtenIn } = event;
  const values = [clientId, recoveryId, sequence, atMicros, type, fromState, toState, rule, inputs, actor, writtenIn];
  return createHash('sha256').update('revtain/audit-event/1').update(JSON.stringify(values)).digest();
}

/** The hash of link `number`: it holds the event's digest and, by the hash before it, every link so far. */
export function linkHash(previous: Buffer, number: number, digest: Buffer): Buffer {
  return createHash('sha256')
    .update('revtain/audit-link/1')
    .update(previous)
    .update(`${number}:`)
    .update(digest)
    .digest();
}
