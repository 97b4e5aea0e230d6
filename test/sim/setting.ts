import { gatewayKeyIdentity } from '../../src/clients/sealing.js';
import type { Vault } from '../../src/platform/crypto/vault.js';
import { endpointSeal } from '../../src/webhooks/endpoint-secrets.js';
import type { Dice } from './dice.js';
import type { Tables } from './memory/tables.js';

const ALL_EVENTS = [
  'recovery.success',
  'recovery.failed',
  'recovery.blocked',
  'recovery.holdout',
  'recovery.scheduled',
  'recovery.attempt_failed',
  'recovery.action_required',
  'recovery.unknown',
  'recovery.cancelled',
];

/** A merchant's account with its endpoints. Answers its id, which is the same in every world. */
export function addClient(tables: Tables, vault: Vault, place: number, dice: Dice, now: Date): string {
  const id = `cli_${String(place + 1).padStart(26, '0')}`;
  tables.clients.insert({
    id,
    name: 'Simulated',
    gatewayProvider: 'stripe',
    livemode: false,
    isTest: false,
    clockOffsetMs: '0',
    clockFrozenAt: null,
    clockFrozenUntil: null,
    billingCycleDay: null,
    timezone: dice.chance(0.3) ? 'Europe/Berlin' : null,
    dunningEnabled: dice.chance(0.9),
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
    duplicateRequests: dice.chance(0.1) ? 'reject' : 'replay',
    customerActionHoldMinutes: dice.pick([0, 30]),
    mode: 'recover',
    repairCallbackUrl: null,
    holdoutPercent: dice.chance(0.1) ? 20 : 0,
    executesPerMinute: 60,
    policy: {},
    chargingPausedSince: null,
    chargingProbeAt: null,
    createdAt: now,
    updatedAt: now,
    gatewayKeySealed: vault.seal('rk_live_simulated', gatewayKeyIdentity(id)),
  });
  for (let each = 0; each < dice.between(0, 2); each++) {
    addEndpoint(tables, vault, id, `we_${place}_${each}`, dice.chance(0.4));
  }
  return id;
}

function addEndpoint(tables: Tables, vault: Vault, clientId: string, id: string, all: boolean): void {
  const secret = `whsec_${Buffer.alloc(32, id).toString('base64')}`;
  tables.endpoints.insert({
    client_id: clientId,
    id,
    url: `https://${id.replaceAll('_', '-')}.example/hook`,
    events: all ? ALL_EVENTS : null,
    enabled: true,
    disabled_reason: null,
    disabled_at: null,
    deleted_at: null,
    secret_sealed: vault.seal(secret, endpointSeal(clientId, id, 'secret_sealed')),
    failing_since: null,
    failing_told: 0,
    throttled_until: null,
    throttle_step: 0,
    breaker_until: null,
    breaker_trips: 0,
    window_from: null,
    window_tries: 0,
    window_failures: 0,
  });
}
