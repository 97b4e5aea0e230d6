import type { DemoMerchant } from './merchant-files.js';
import { expectAnswer, type ServiceApi, textField } from './service-api.js';

/** The events that are on by default, and `recovery.scheduled`, so that the demo shows a retry being planned. */
const EVENTS = [
  'recovery.success',
  'recovery.failed',
  'recovery.blocked',
  'recovery.holdout',
  'card.updated',
  'recovery.scheduled',
];

/** Where the demo merchant's webhooks go, and who may make it. */
export interface MerchantSetting {
  api: ServiceApi;
  adminKey: string;
  webhookUrl: string;
}

/** Makes the demo merchant: an account on the test gateway, and one endpoint. */
export async function createMerchant({ api, adminKey, webhookUrl }: MerchantSetting): Promise<DemoMerchant> {
  const wanted = { name: 'Demo merchant', gateway: { provider: 'test' } };
  const made = expectAnswer(await api.call('POST', '/api/clients', { adminKey }, wanted), 201, 'POST /api/clients');
  const apiKey = textField(made, 'apiKey');
  return { clientId: textField(made, 'clientId'), apiKey, ...(await createEndpoint(api, apiKey, webhookUrl)) };
}

/**
 * Points the merchant of an earlier start to where the receiver listens now; an endpoint that was deleted is made anew.
 * Null when the service does not know its key: the database is another than the one it was made in.
 */
export async function reuseMerchant(
  kept: DemoMerchant,
  { api, webhookUrl }: Pick<MerchantSetting, 'api' | 'webhookUrl'>,
): Promise<DemoMerchant | null> {
  const { apiKey, clientId, endpointId } = kept;
  const found = await api.call('GET', `/api/clients/${clientId}`, { apiKey });
  if (found.status === 401 || found.status === 404) return null;
  expectAnswer(found, 200, 'GET /api/clients/{clientId}');

  const path = `/api/webhook-endpoints/${endpointId}`;
  const moved = await api.call('PATCH', path, { apiKey }, { url: webhookUrl, enabled: true });
  if (moved.status === 404) return { ...kept, ...(await createEndpoint(api, apiKey, webhookUrl)) };
  expectAnswer(moved, 200, 'PATCH /api/webhook-endpoints/{endpointId}');
  return kept;
}

async function createEndpoint(
  api: ServiceApi,
  apiKey: string,
  url: string,
): Promise<Pick<DemoMerchant, 'endpointId' | 'webhookSecret'>> {
  const wanted = { url, events: EVENTS, description: 'the demo receiver' };
  const answer = await api.call('POST', '/api/webhook-endpoints', { apiKey }, wanted);
  const made = expectAnswer(answer, 201, 'POST /api/webhook-endpoints');
  return { endpointId: textField(made, 'id'), webhookSecret: textField(made, 'secret') };
}
