import { setTimeout as sleep } from 'node:timers/promises';

import { Refused } from './refused.js';
import { rowsOf, textOf, type Body, type RevtainApi } from './revtain-api.js';

const LOOK_EVERY_MS = 200;
/** The try itself may take 10 s. */
const LOOKS_MAX = 75;

// Neither is sent on demand: one is no longer true, the other not certain yet.
const NEVER_ON_DEMAND: unknown[] = ['superseded', 'held'];

/**
 * Has a delivery sent again, to its own endpoint: same id, same bytes.
 * @param which its id, or `last`: the newest one whose endpoint is still there
 * @throws {Refused} in one line.
 */
export async function askAgain(api: RevtainApi, which: string, endpointId?: string): Promise<Body> {
  const id = which === 'last' ? await newest(api, endpointId) : which;
  const before = await api.call('GET', `/api/webhook-deliveries/${id}`);
  const again = await api.call('POST', `/api/webhook-deliveries/${id}/redeliver`, {});
  if (again['status'] !== 'held') return before;
  throw new Refused(`${id} is held until ${textOf(again, 'heldUntil')} on the client's clock, and is sent then`);
}

/** Asks for a replay and waits for its answer. Returns what to tell, and whether it was taken. */
export async function replayAndWait(api: RevtainApi, which: string): Promise<{ text: string; taken: boolean }> {
  const before = await askAgain(api, which);
  const id = textOf(before, 'id');
  const { url } = await api.call('GET', `/api/webhook-endpoints/${textOf(before, 'endpointId')}`);
  const what = `${id} ${textOf(before, 'event')} to ${String(url)}`;
  for (let look = 0; look < LOOKS_MAX; look += 1) {
    await sleep(LOOK_EVERY_MS);
    const now = await api.call('GET', `/api/webhook-deliveries/${id}`);
    if (Number(now['tryCount']) === Number(before['tryCount'])) continue;
    const tries = Array.isArray(now['tries']) ? (now['tries'] as Body[]) : [];
    const { status = null, error = null } = tries.at(-1) ?? {};
    const said = typeof status === 'number' ? String(status) : typeof error === 'string' ? error : 'no answer';
    return { text: `${what}: ${said}`, taken: Number(status) >= 200 && Number(status) < 300 };
  }
  throw new Refused(`${what} was not tried in ${(LOOKS_MAX * LOOK_EVERY_MS) / 1_000} s: does a worker of Revtain run?`);
}

async function newest(api: RevtainApi, endpointId?: string): Promise<string> {
  const endpoints = rowsOf(await api.call('GET', '/api/webhook-endpoints?limit=50'));
  const live = new Set(endpoints.filter(({ enabled }) => enabled === true).map(({ id }) => id));
  const filter = endpointId === undefined ? '' : `&endpointId=${endpointId}`;
  const deliveries = rowsOf(await api.call('GET', `/api/webhook-deliveries?limit=200${filter}`));
  const found = deliveries.find(({ endpointId: to, status }) => live.has(to) && !NEVER_ON_DEMAND.includes(status));
  if (!found) throw new Refused('there is no delivery to replay yet: POST /api/recovery/execute makes one');
  return textOf(found, 'id');
}
