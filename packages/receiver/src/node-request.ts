import type { HeadersInput } from './headers.js';
import { bytesOf, RawBodyRequired } from './raw-body.js';
import { BODY_BYTES_MAX } from './receive.js';

/** What Express, Nest and plain Node hand over, as far as it is read here. */
export interface NodeRequest {
  headers: Exclude<HeadersInput, { get: unknown }>;
  /** What a body parser left. */
  body?: unknown;
  /** The bytes beside it, where the parser was told to keep them. */
  rawBody?: unknown;
  /** Whether anybody has read the stream. */
  readableDidRead?: boolean;
  readableEnded?: boolean;
}

/**
 * The raw body: kept by a parser, or read here when nobody has. `too_large` past 1 MiB.
 * @throws {RawBodyRequired} when it was parsed and thrown away.
 */
export async function rawBodyOf(request: NodeRequest, remedy: string): Promise<Uint8Array | 'too_large'> {
  const kept = bytesOf(request.rawBody) ?? bytesOf(request.body);
  if (kept !== null) return kept.byteLength > BODY_BYTES_MAX ? 'too_large' : kept;
  // A destroyed request takes its socket along, and with it our answer that the body is too large.
  if (isUnread(request)) return collect(request.iterator({ destroyOnReturn: false }));
  // Fastify's request is no stream: where nothing is kept of it, nothing came.
  if (!(Symbol.asyncIterator in request) && (request.body ?? null) === null) return new Uint8Array();
  throw new RawBodyRequired(remedy);
}

/** Joins the chunks of a body, up to 1 MiB. */
export async function collect(chunks: AsyncIterable<Uint8Array>): Promise<Uint8Array | 'too_large'> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > BODY_BYTES_MAX) return 'too_large';
    kept.push(chunk);
  }
  return Buffer.concat(kept);
}

interface UnreadStream {
  iterator(options: { destroyOnReturn: boolean }): AsyncIterable<Uint8Array>;
}

function isUnread(request: NodeRequest): request is NodeRequest & UnreadStream {
  return 'iterator' in request && request.readableDidRead === false && request.readableEnded === false;
}
