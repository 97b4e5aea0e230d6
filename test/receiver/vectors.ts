import { readFileSync } from 'node:fs';

/** How the product signs: shared with src/webhooks/signature.spec.ts. */
export interface SigningVector {
  secret: string;
  id: string;
  timestamp: number;
  body: string;
  webhookSignature: string;
  revtainSignature: string;
}

/** What a receiver makes of a delivery: shared with the verifiers in examples/receivers. */
export interface ReceiverVector {
  name: string;
  scheme: 'standard' | 'plain';
  secrets: string[];
  /** Seconds since 1970. */
  now: number;
  headers: Record<string, string>;
  bodyBase64: string;
  expected: string;
}

export const SIGNING_VECTORS = read<SigningVector>('signature-vectors.json');
export const RECEIVER_VECTORS = read<ReceiverVector>('signature-vectors-receiver.json');

function read<Vector>(name: string): Vector[] {
  const text = readFileSync(new URL(`../contract/${name}`, import.meta.url), 'utf8');
  return (JSON.parse(text) as { vectors: Vector[] }).vectors;
}
