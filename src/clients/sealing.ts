import type { SealIdentity } from '../platform/crypto/vault.js';

/** What a client's gateway key is bound to: in another client's row it does not open. */
export function gatewayKeyIdentity(clientId: string): SealIdentity {
  return { clientId, table: 'clients', row: clientId, column: 'gateway_key_sealed' };
}

export function gatewayWebhookSecretIdentity(clientId: string): SealIdentity {
  return { clientId, table: 'clients', row: clientId, column: 'gateway_webhook_secret_sealed' };
}

/** One of the secrets kept beside the client's own. */
export function keptWebhookSecretIdentity(clientId: string, id: string): SealIdentity {
  return { clientId, table: 'gateway_webhook_secrets', row: id, column: 'secret_sealed' };
}
