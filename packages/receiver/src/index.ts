/** What the package offers without a framework. Adapters and the PostgreSQL store are entries of their own. */
export * from './event-fields.js';
export * from './events.js';
export type { HeadersInput, HeadersLike } from './headers.js';
export { memoryStore, type MemoryStoreOptions } from './memory-store.js';
export { once, type DedupeStore, type Once, type OnceOptions } from './once.js';
export { parseEvent, type ParsedEvent } from './parse-event.js';
export { RawBodyRequired, type RawBody } from './raw-body.js';
export { receive, replyTo, type Received, type ReceiverOptions, type Reply } from './receive.js';
export { on, type ByAction, type Handler, type RouteContext, type Routed, type Router, type Routes } from './router.js';
export { signedHeaders, type SignOptions } from './sign.js';
export {
  verify,
  type RefusalReason,
  type Scheme,
  type Secrets,
  type Verification,
  type VerifyOptions,
} from './verify.js';
