import type { ApiKeyEntity } from './api-key.entity.js';
import type { AlertTargets } from './alert-targets.js';
import type { ClientSettings } from './client-settings.js';
import { modeWarnings } from './mode-warnings.js';

/** Platforms whose webhooks this server takes (openapi.yaml). */
const PLATFORMS = ['stripe-billing', 'chargebee', 'recurly', 'braintree', 'zuora', 'shopify-recharge'] as const;

/** A client as it is shown: no secret, nothing of the clock or the pause; `warnings` are those of its channels. */
export function clientView(client: ClientSettings & AlertTargets, warnings: string[]) {
  return {
    clientId: client.id,
    name: client.name,
    gateway: { provider: client.gatewayProvider },
    livemode: client.livemode,
    billingCycleDay: client.billingCycleDay,
    timezone: client.timezone,
    dunningEnabled: client.dunningEnabled,
    notificationChannels: client.notificationChannels,
    alertWebhookUrl: client.alertWebhookUrl,
    alertEmails: client.alertEmails,
    alertPhones: client.alertPhones,
    alertSlackUrlIsSet: client.alertSlackUrlSealed !== null,
    alertPagerDutyKeyIsSet: client.alertPagerDutyKeySealed !== null,
    alertSettings: client.alertSettings,
    cardUpdateDomain: client.cardUpdateDomain,
    brandName: client.brandName,
    brandLogoUrl: client.brandLogoUrl,
    brandPrimaryColor: client.brandPrimaryColor,
    defaultCurrency: client.defaultCurrency,
    locale: client.locale,
    duplicateRequests: client.duplicateRequests,
    customerActionHoldMinutes: client.customerActionHoldMinutes,
    mode: client.mode,
    repairCallbackUrl: client.repairCallbackUrl,
    holdoutPercent: client.holdoutPercent,
    executesPerMinute: client.executesPerMinute,
    policy: client.policy,
    warnings: [...modeWarnings(client), ...warnings],
    createdAt: client.createdAt.toISOString(),
    updatedAt: client.updatedAt.toISOString(),
  };
}
export type ClientView = ReturnType<typeof clientView>;

/** A key as it is shown after its making: never the key itself. */
export function keyView(key: ApiKeyEntity) {
  return {
    keyId: key.id,
    kind: key.kind,
    name: key.name,
    hint: key.hint,
    createdAt: key.createdAt.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString() ?? null,
    revokedAt: key.revokedAt?.toISOString() ?? null,
  };
}
export type KeyView = ReturnType<typeof keyView>;

/** Where each billing platform sends a client's events. */
export function connectorUrls(publicUrl: string, clientId: string): Record<string, string> {
  return Object.fromEntries(
    PLATFORMS.map((platform) => [platform, `${publicUrl}/api/connectors/${platform}/webhook/${clientId}`]),
  );
}
