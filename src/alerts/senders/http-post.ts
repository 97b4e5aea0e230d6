import axios, { type AxiosRequestConfig, AxiosError, AxiosHeaders, type InternalAxiosRequestConfig } from 'axios';

import type { EgressClient } from '../../platform/egress/egress-client.js';
import { readRetryAfter } from '../../webhooks/delivery-policy.js';
import type { SendResult } from '../retry.js';
import { SEND_DEADLINE_MS } from './sender.js';

const ANSWER_BYTES_MAX = 64 * 1_024;

export interface PostAnswer {
  status: number;
  body: string;
  retryAfter: string | null;
}

/** One POST without redirects, proxies or surprises; null when no answer came. */
export async function post(config: AxiosRequestConfig): Promise<PostAnswer | null> {
  try {
    const { status, data, headers } = await axios.request<unknown>({
      method: 'POST',
      timeout: SEND_DEADLINE_MS,
      signal: AbortSignal.timeout(SEND_DEADLINE_MS),
      maxRedirects: 0,
      maxContentLength: ANSWER_BYTES_MAX,
      proxy: false,
      responseType: 'text',
      transformResponse: (text: unknown) => text,
      validateStatus: () => true,
      ...config,
    });
    const retryAfter: unknown = headers['retry-after'];
    return { status, body: String(data), retryAfter: typeof retryAfter === 'string' ? retryAfter : null };
  } catch (error) {
    if (axios.isAxiosError(error)) return null;
    throw error;
  }
}

/** Any 2xx is success; 429 and 5xx are for now; every other status would be the same again. */
export function resultOfStatus(answer: PostAnswer | null, now: Date): SendResult {
  if (answer === null) return { kind: 'try_again', error: 'could not connect', afterMs: null };
  const { status, retryAfter } = answer;
  const error = `HTTP ${status}`;
  if (status >= 200 && status < 300) return { kind: 'sent' };
  if (status === 429 || status === 408 || status >= 500) {
    return { kind: 'try_again', error, afterMs: readRetryAfter(retryAfter, now) };
  }
  return { kind: 'refused', error };
}

/** Sends what axios composes through the egress guard, for addresses that a merchant gave. */
export function guardedAdapter(egress: EgressClient) {
  return async (config: InternalAxiosRequestConfig) => {
    const answer = await egress.post({
      url: config.url ?? '',
      headers: Object.fromEntries(
        Object.entries(config.headers.toJSON()).map(([name, value]) => [name, String(value)]),
      ),
      body: Buffer.from(String(config.data)),
      deadlineMs: SEND_DEADLINE_MS,
    });
    if (answer.kind === 'no_answer') throw new AxiosError('no answer', AxiosError.ERR_NETWORK, config);
    const headers = new AxiosHeaders(answer.retryAfter === null ? {} : { 'retry-after': answer.retryAfter });
    return { data: answer.excerpt.toString('utf8'), status: answer.status, statusText: '', headers, config };
  };
}
