import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';

const FORMAT = 'revtain-audit-checkpoint/1';

/** How far one client's chain was at some moment, signed: kept elsewhere, it tells of everything that is cut or changed later. */
export interface Checkpoint {
  format: typeof FORMAT;
  clientId: string;
  /** Links so far. */
  number: number;
  /** The newest link's hash, in hex. */
  hash: string;
  /** ISO 8601, real time. */
  at: string;
  /** Ed25519, 32 bytes in base64: who signed. A checkpoint is worth what is known of this key from elsewhere. */
  publicKey: string;
  /** Ed25519, in base64. */
  signature: string;
}

export type UnsignedCheckpoint = Pick<Checkpoint, 'clientId' | 'number' | 'hash' | 'at'>;

/** A key that signs checkpoints. */
export interface SigningKey {
  privateKey: KeyObject;
  /** 32 bytes in base64. */
  publicKey: string;
}

// RFC 8410: what stands before the 32 bytes of an Ed25519 key in PKCS #8 and in SubjectPublicKeyInfo.
const PRIVATE_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');
const PUBLIC_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

/** @param seed 32 secret bytes; the same seed makes the same key. @see https://www.rfc-editor.org/rfc/rfc8032 */
export function signingKey(seed: Buffer): SigningKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PRIVATE_PREFIX, seed]), format: 'der', type: 'pkcs8' });
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return { privateKey, publicKey: spki.subarray(PUBLIC_PREFIX.length).toString('base64') };
}

export function signCheckpoint(unsigned: UnsignedCheckpoint, { privateKey, publicKey }: SigningKey): Checkpoint {
  const { clientId, number, hash, at } = unsigned;
  const signature = sign(null, signedBytes(unsigned), privateKey).toString('base64');
  return { format: FORMAT, clientId, number, hash, at, publicKey, signature };
}

/** Whether the key that the checkpoint names has signed it. Whose key that is, the caller must know. */
export function isSigned(checkpoint: Checkpoint): boolean {
  const raw = Buffer.from(checkpoint.publicKey, 'base64');
  if (checkpoint.format !== FORMAT || raw.length !== 32) return false;
  const key = createPublicKey({ key: Buffer.concat([PUBLIC_PREFIX, raw]), format: 'der', type: 'spki' });
  return verify(null, signedBytes(checkpoint), key, Buffer.from(checkpoint.signature, 'base64'));
}

function signedBytes({ clientId, number, hash, at }: UnsignedCheckpoint): Buffer {
  return Buffer.from(JSON.stringify([FORMAT, clientId, number, hash, at]), 'utf8');
}
