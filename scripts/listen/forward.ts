import { performance } from 'node:perf_hooks';

import { request } from 'undici';

import { hasCode, messageOf } from '../../src/platform/error-facts.js';

export type Forwarded =
  | { kind: 'answered'; status: number; retryAfter: string | null; excerpt: Buffer; durationMs: number }
  | { kind: 'not_forwarded'; why: string };

export interface Message {
  /** Names and values in turn, with the spelling they came in. */
  rawHeaders: string[];
  body: Buffer;
}

/** Revtain gives a try 10 s in all. */
const DEADLINE_MS = 9_500;
/** What Revtain reads of an answer. */
const ANSWER_BYTES_MAX = 16_384;

/** Of one connection, not of the message; the others are handed on as they came. */
const OWN_HEADERS = new Set([
  'host',
  'connection',
  'keep-alive',
  'transfer-encoding',
  'content-length',
  'upgrade',
  'te',
]);

/** Posts a delivery to the handler, unchanged. Never throws: a handler that can not be reached is an answer too. */
export async function forward(url: string, message: Message, deadlineMs = DEADLINE_MS): Promise<Forwarded> {
  const startedAt = performance.now();
  const signal = AbortSignal.timeout(deadlineMs);
  try {
    const headers = messageHeaders(message.rawHeaders);
    const answer = await request(url, { method: 'POST', headers, body: message.body, signal });
    const excerpt = await firstBytes(answer.body, ANSWER_BYTES_MAX);
    const given = answer.headers['retry-after'];
    const retryAfter = typeof given === 'string' ? given : null;
    const durationMs = Math.round(performance.now() - startedAt);
    return { kind: 'answered', status: answer.statusCode, retryAfter, excerpt, durationMs };
  } catch (error) {
    const late = `${url} took more than ${deadlineMs / 1_000} s: answer first, work afterwards`;
    return { kind: 'not_forwarded', why: signal.aborted ? late : whyOf(error, url) };
  }
}

/** The first bytes of a stream; the rest is not waited for. */
export async function firstBytes(stream: AsyncIterable<Buffer>, bytesMax: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= bytesMax) break;
  }
  return Buffer.concat(chunks).subarray(0, bytesMax);
}

function messageHeaders(rawHeaders: string[]): string[] {
  return rawHeaders.filter((_text, index) => !OWN_HEADERS.has((rawHeaders[index - (index % 2)] ?? '').toLowerCase()));
}

function whyOf(error: unknown, url: string): string {
  if (hasCode(error, 'ECONNREFUSED')) return `nothing listens at ${url}: start your handler there`;
  return `${url} broke off: ${messageOf(error)}`;
}
