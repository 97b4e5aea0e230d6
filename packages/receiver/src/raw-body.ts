/** A body as it came over the wire. A string is taken as UTF-8. */
export type RawBody = Uint8Array | ArrayBuffer | string;

/** A framework parsed the body before the receiver saw it. The message says how to keep the bytes. */
export class RawBodyRequired extends Error {
  override readonly name = 'RawBodyRequired';
  /** Express and Fastify answer with it: the receiver's set-up is at fault, not the sender. */
  readonly statusCode = 500;

  constructor(remedy: string) {
    super(
      'The body was parsed before the signature could be checked, and the signature is over the raw bytes: ' +
        `JSON written again is not the same. ${remedy}`,
    );
  }
}

/** The bytes of a body, or null for what is no raw body, such as parsed JSON. Told by form: bytes may be another realm's. */
export function bytesOf(body: unknown): Uint8Array | null {
  if (typeof body === 'string') return Buffer.from(body, 'utf8');
  if (ArrayBuffer.isView(body)) return new Uint8Array(body.buffer, body.byteOffset, body.byteLength);
  return isArrayBuffer(body) ? new Uint8Array(body) : null;
}

function isArrayBuffer(body: unknown): body is ArrayBuffer {
  return Object.prototype.toString.call(body) === '[object ArrayBuffer]';
}
