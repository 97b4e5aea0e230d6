import { Vault } from '../../src/platform/crypto/vault.js';
import type { Database } from '../../src/platform/db/database.js';
import { SystemRandom } from '../../src/platform/random.js';
import type { ClientSettings } from '../../src/clients/client-settings.js';
import { gatewayKeyIdentity } from '../../src/clients/sealing.js';

/** The vault that `insertClient` seals with. */
export const TEST_VAULT = new Vault(Buffer.alloc(32, 1), [], new SystemRandom());

/** Stores a client without any HTTP, its columns at their defaults. Each number gives another client. */
export async function insertClient(
  database: Database,
  number: number,
  { isTest = false, gatewayKey = `sk_test_${number}` } = {},
): Promise<string> {
  const clientId = `cli_01${String(number).padStart(24, '0')}`;
  await database.query(
    { role: 'tenant', clientId },
    {
      text: `INSERT INTO clients (id, name, gateway_provider, gateway_key_sealed, is_test, created_at, updated_at)
             VALUES ($1, 'Acme', 'stripe', $2, $3, now(), now())`,
      values: [clientId, TEST_VAULT.seal(gatewayKey, gatewayKeyIdentity(clientId)), isTest],
    },
  );
  return clientId;
}

/** A client's settings as the table's defaults make them. */
export function settingsOf(id: string, changes: Partial<ClientSettings> = {}): ClientSettings {
  return {
    id,
    name: 'Acme',
    gatewayProvider: 'stripe',
    livemode: false,
    isTest: false,
    clockOffsetMs: 0,
    clockFrozenAt: null,
    clockFrozenUntil: null,
    billingCycleDay: null,
    timezone: null,
    dunningEnabled: true,
    notificationChannels: [],
    alertWebhookUrl: null,
    alertEmails: [],
    alertPhones: [],
    cardUpdateDomain: null,
    brandName: null,
    brandLogoUrl: null,
    brandPrimaryColor: null,
    defaultCurrency: 'USD',
    locale: 'en',
    duplicateRequests: 'replay',
    customerActionHoldMinutes: 30,
    mode: 'recover',
    repairCallbackUrl: null,
    holdoutPercent: 0,
    executesPerMinute: 60,
    policy: {},
    chargingPausedSince: null,
    chargingProbeAt: null,
    createdAt: new Date('2026-11-21T10:00:00Z'),
    updatedAt: new Date('2026-11-21T10:00:00Z'),
    ...changes,
  };
}
