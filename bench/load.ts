import { randomUUID } from 'node:crypto';

import { Pool } from 'undici';

/** One service under load. */
export interface Target {
  url: string;
  apiKey: string;
}

export interface Measured {
  /** Executes answered as expected. */
  executes: number;
  perSecond: number;
  p50Ms: number;
  p99Ms: number;
}

const EXECUTE = '/api/recovery/execute';

/**
 * Sends executes from so many connections, each waiting for its answer, for so many seconds. Every debt, card and key
 * is new, so that each one is charged at once.
 * @throws when one answer is not a collected payment: a rate of errors is no rate.
 */
export async function load(target: Target, seconds: number, connections: number): Promise<Measured> {
  const pool = new Pool(target.url, { connections, pipelining: 1 });
  const latenciesMs: number[] = [];
  const startedMs = performance.now();
  const lane = async () => {
    while (performance.now() < startedMs + seconds * 1_000) latenciesMs.push(await executeOnce(pool, target.apiKey));
  };
  try {
    await Promise.all(Array.from({ length: connections }, lane));
  } finally {
    await pool.destroy();
  }
  const elapsedSeconds = (performance.now() - startedMs) / 1_000;
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number) => latenciesMs[Math.floor((latenciesMs.length - 1) * share)] ?? NaN;
  const executes = latenciesMs.length;
  return { executes, perSecond: executes / elapsedSeconds, p50Ms: at(0.5), p99Ms: at(0.99) };
}

async function executeOnce(pool: Pool, apiKey: string): Promise<number> {
  const id = randomUUID().replaceAll('-', '');
  const body = JSON.stringify({
    paymentMethodToken: `pm_${id}`,
    amount: 2500,
    currency: 'USD',
    reference: `order-${id}`,
    idempotencyKey: `key-${id}`,
  });
  const startedMs = performance.now();
  const headers = { 'content-type': 'application/json', 'x-api-key': apiKey };
  const answer = await pool.request({ path: EXECUTE, method: 'POST', headers, body });
  const text = await answer.body.text();
  const tookMs = performance.now() - startedMs;
  const collected = answer.statusCode === 200 && /"status":"succeeded"/.test(text);
  if (!collected) throw new Error(`answered ${answer.statusCode} to a card that works: ${text}`);
  return tookMs;
}
