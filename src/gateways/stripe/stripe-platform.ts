import type Stripe from 'stripe';

import type { GatewayAccount, Reading } from '../gateway.js';
import { STRIPE_API_VERSION } from './client.js';
import { read, type Session, type SessionParts } from './session.js';
import { findEndpoints, type RegisteredEndpoint, registerEndpoint } from './webhook-registration.js';

/** The operator's own account at Stripe (STRIPE_CONNECT_CLIENT_ID, STRIPE_CONNECT_SECRET_KEY). */
export interface ConnectSettings {
  clientId: string;
  secretKey: string;
}

/** A merchant's account, as its owner has allowed it to be used. */
export interface Grant {
  accountId: string;
  livemode: boolean;
  scope: string;
}

const CALL_MS = 10_000;

/**
 * Our platform at Stripe: merchants connect their accounts to it, and it receives their events. Access tokens are not
 * kept: the platform's key and the account's id do the same, and end with the connection.
 * @see https://docs.stripe.com/connect/oauth-reference
 */
export class StripePlatform {
  private readonly account: GatewayAccount;

  constructor(
    private readonly parts: SessionParts,
    private readonly settings: ConnectSettings & { authorizeBase: string },
  ) {
    this.account = { clientId: 'platform', provider: 'stripe', secretKey: settings.secretKey };
  }

  /** Real money, by the platform's own key. */
  get livemode(): boolean {
    return this.settings.secretKey.startsWith('sk_live_');
  }

  /** Where a merchant goes to allow it. The SDK's own builder knows no other address than Stripe's, so it is built here. */
  authorizeUrl(state: string, redirectUri: string): string {
    const url = new URL('/oauth/authorize', this.settings.authorizeBase);
    const query = { response_type: 'code', client_id: this.settings.clientId, scope: 'read_write', state };
    url.search = new URLSearchParams({ ...query, redirect_uri: redirectUri }).toString();
    return url.href;
  }

  /** Exchanges the code, which works once: never sent again. `rejected` means that the merchant has to begin anew. */
  async exchange(code: string): Promise<Reading<Grant>> {
    const granted = await this.ask(async ({ stripe, reading }) =>
      stripe.oauth.token({ grant_type: 'authorization_code', code }, reading()),
    );
    if (granted.kind !== 'found') return granted;
    const { stripe_user_id: accountId, livemode, scope } = granted.value;
    if (accountId === undefined) {
      return { kind: 'unavailable', cause: 'lost_reply', message: 'the grant names no account', retryAfterMs: null };
    }
    return { kind: 'found', value: { accountId, livemode: livemode === true, scope: scope ?? 'unknown' } };
  }

  /** Gives the access back. An account that has withdrawn it already is as good. */
  async deauthorize(accountId: string): Promise<Reading<null>> {
    const params = { client_id: this.settings.clientId, stripe_user_id: accountId };
    const given = await this.ask(({ stripe, reading }) => stripe.oauth.deauthorize(params, reading()));
    return given.kind === 'found' || given.kind === 'rejected' ? { kind: 'found', value: null } : given;
  }

  /** An endpoint of the platform's that hears the connected accounts; those of before at this address are taken away. */
  async register(url: string, clientId: string, events: readonly string[]): Promise<Reading<RegisteredEndpoint>> {
    return this.ask((session) =>
      registerEndpoint(session, { url, clientId, events, connect: true, apiVersion: STRIPE_API_VERSION }),
    );
  }

  /** Takes the client's endpoints at this address away. */
  async unregister(url: string, clientId: string): Promise<Reading<null>> {
    return this.ask(async (session: Session) => {
      for (const { id } of await findEndpoints(session, url, clientId)) {
        await session.stripe.webhookEndpoints.del(id, {}, session.reading());
      }
      return null;
    });
  }

  private async ask<T>(call: (session: Session) => Promise<T>): Promise<Reading<T>> {
    return read(this.parts, this.account, { timeoutMs: CALL_MS }, call, 'rejected');
  }
}

/** The account that a key belongs to. */
export async function readAccountId(
  parts: SessionParts,
  account: GatewayAccount,
  timeoutMs: number,
): Promise<Reading<string>> {
  return read(parts, account, { timeoutMs }, async ({ stripe, reading }) => {
    const own: Stripe.Account = await stripe.accounts.retrieveCurrent({}, reading());
    return own.id;
  });
}
