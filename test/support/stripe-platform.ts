import { look, press, type Seen } from './card-update.js';
import type { Merchant } from './merchant.js';
import { type OwnTestGateway, ownTestGateway, type TestAccount } from './own-test-gateway.js';

/** A Stripe of the test's own, with our platform's account on it. */
export interface PlatformStripe {
  own: OwnTestGateway;
  platform: TestAccount;
  /** What a server needs to be set to. */
  settings: Record<string, string>;
}

export async function platformStripe(): Promise<PlatformStripe> {
  const own = await ownTestGateway();
  const platform = await own.newAccount();
  const settings = {
    STRIPE_API_BASE: own.gateway.url,
    STRIPE_CONNECT_CLIENT_ID: platform.accountId.replace(/^cli_/, 'ca_'),
    STRIPE_CONNECT_SECRET_KEY: platform.secretKey,
  };
  return { own, platform, settings };
}

/** How Stripe names a test gateway's account. */
export function publicIdOf({ accountId }: TestAccount): string {
  return accountId.replace(/^cli_/, 'acct_');
}

/** The merchant goes to Stripe and lets the platform use an account; where it is sent back to. */
export async function permit(merchant: Merchant, account: TestAccount): Promise<string> {
  const begun = await merchant.api.get<{ url: string }>('/api/connectors/stripe/connect');
  if (begun.status !== 302) throw new Error(`nothing was begun: ${begun.bytes.toString()}`);
  const form = new URLSearchParams({ account: publicIdOf(account) }).toString();
  return (await press(begun.body.url, {}, form)).location;
}

/** The press on our own page behind the callback. */
export function confirm(callbackUrl: string, headers: Record<string, string> = {}): Promise<Seen> {
  const { searchParams, origin, pathname } = new URL(callbackUrl);
  const form = { state: searchParams.get('state') ?? '', code: searchParams.get('code') ?? '' };
  return press(origin + pathname, headers, new URLSearchParams(form).toString());
}

/** The whole way. @throws when nothing was connected. */
export async function connect(merchant: Merchant, account: TestAccount): Promise<void> {
  const callback = await permit(merchant, account);
  const asked = await look(callback);
  const { status, text } = await confirm(callback);
  if (asked.status !== 200 || status !== 200) throw new Error(`nothing was connected: ${asked.text}\n${text}`);
}
