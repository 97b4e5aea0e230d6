import type { GatewayParts } from './execution.js';
import { hashOfKey, keyInHeader } from './secret-key.js';
import { newStripeId } from './stripe-ids.js';
import { StripeRefusal } from './stripe-refusal.js';

/** @see https://docs.stripe.com/connect/oauth-reference (a code is used once, within five minutes) */
const CODE_LIVES_MS = 5 * 60_000;

/** An answer of OAuth's own form: errors are texts and not envelopes. */
export interface OAuthAnswer {
  status: number;
  body: string;
}

export function isOAuthCall(path: string): boolean {
  return path === '/oauth/token' || path === '/oauth/deauthorize';
}

/**
 * A merchant lets a platform use its account: the code for it, once.
 * @throws {StripeRefusal} 400 when there is no such platform or account.
 */
export async function grantCode(parts: GatewayParts, platform: string, account: string): Promise<string> {
  const code = newStripeId(parts.random, 'ac');
  const expiresAt = new Date(parts.clock.now().getTime() + CODE_LIVES_MS);
  const granted = await parts.pool.query(
    `INSERT INTO test_gateway.connections (platform_id, account_id, code_hash, code_expires_at)
     SELECT p.account_id, a.account_id, $3, $4 FROM test_gateway.accounts p, test_gateway.accounts a
     WHERE p.account_id = $1 AND a.account_id = $2
     ON CONFLICT (platform_id, account_id) DO UPDATE SET code_hash = excluded.code_hash, code_expires_at = excluded.code_expires_at`,
    [accountIdOf(platform), accountIdOf(account), hashOfKey(code), expiresAt],
  );
  if (granted.rowCount === 1) return code;
  throw new StripeRefusal(400, { type: 'invalid_request_error', message: 'No such platform or account.' });
}

/** POST /oauth/token and /oauth/deauthorize, by the platform's secret key. */
export async function answerOAuth(
  parts: GatewayParts,
  path: string,
  form: URLSearchParams,
  authorization: string | undefined,
): Promise<OAuthAnswer> {
  const key = keyInHeader(authorization) ?? form.get('client_secret') ?? '';
  const found = await parts.pool.query<{ account_id: string }>(
    'SELECT account_id FROM test_gateway.secret_keys WHERE key_hash = $1',
    [hashOfKey(key)],
  );
  const platformId = found.rows[0]?.account_id;
  if (platformId === undefined) return refused(401, 'invalid_client', 'No such API key.');
  return path === '/oauth/token' ? token(parts, platformId, form) : deauthorize(parts, platformId, form);
}

async function token(parts: GatewayParts, platformId: string, form: URLSearchParams): Promise<OAuthAnswer> {
  const used = await parts.pool.query<{ account_id: string }>(
    `UPDATE test_gateway.connections SET is_granted = true, code_hash = NULL, code_expires_at = NULL
     WHERE platform_id = $1 AND code_hash = $2 AND code_expires_at > $3 RETURNING account_id`,
    [platformId, hashOfKey(form.get('code') ?? ''), parts.clock.now()],
  );
  const accountId = used.rows[0]?.account_id;
  if (accountId === undefined)
    return refused(400, 'invalid_grant', 'This code does not exist, is used, or has expired.');
  return ok({ stripe_user_id: publicId(accountId), scope: 'read_write', livemode: false, token_type: 'bearer' });
}

async function deauthorize(parts: GatewayParts, platformId: string, form: URLSearchParams): Promise<OAuthAnswer> {
  const account = form.get('stripe_user_id') ?? '';
  const ended = await parts.pool.query(
    'UPDATE test_gateway.connections SET is_granted = false WHERE platform_id = $1 AND account_id = $2 AND is_granted',
    [platformId, accountIdOf(account)],
  );
  if (ended.rowCount === 1) return ok({ stripe_user_id: account });
  return refused(401, 'invalid_client', 'This application is not connected to the account, or it does not exist.');
}

function ok(body: object): OAuthAnswer {
  return { status: 200, body: JSON.stringify(body) };
}

function refused(status: number, error: string, description: string): OAuthAnswer {
  return { status, body: JSON.stringify({ error, error_description: description }) };
}

/** `ca_…` and `acct_…` both name an account. */
function accountIdOf(id: string): string {
  return `cli_${id.replace(/^(?:ca|acct)_/, '')}`;
}

function publicId(accountId: string): string {
  return accountId.replace(/^cli_/, 'acct_');
}
