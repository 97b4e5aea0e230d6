import { checkUrl, type EgressPolicy } from '../platform/egress/url-rules.js';
import { badField, badFields, type FieldProblem } from '../platform/http/domain-error.js';
import { ownTablesProblems } from '../recovery/policy.js';
import type { CreateClientBody, GatewayBody, UpdateClientBody } from './client.dto.js';

/** What the account is by its key: whether its money is real, and whether its clock may be moved. */
export interface AccountNature {
  livemode: boolean;
  isTest: boolean;
}

const URL_FIELDS = ['alertWebhookUrl', 'alertSlackUrl', 'repairCallbackUrl', 'brandLogoUrl'] as const;

/** Holds every URL of a body to the operator's rules for outgoing calls. @throws {DomainError} 400. */
export function checkClientUrls(body: CreateClientBody | UpdateClientBody, policy: EgressPolicy): void {
  const webhookUrl = 'webhookUrl' in body ? body.webhookUrl : undefined;
  const urls: [string, string | null | undefined][] = [
    ['webhookUrl', webhookUrl],
    ...URL_FIELDS.map((field): [string, string | null | undefined] => [field, body[field]]),
  ];
  const problems = urls.flatMap(([field, url]) => (url == null ? [] : urlProblems(field, url, policy)));
  if (problems.length > 0) throw badFields(problems);
}

/** The tables of a merchant's own policy, part by part. @throws {DomainError} 400. */
export function checkOwnPolicy({ policy }: CreateClientBody | UpdateClientBody): void {
  const problems = policy == null ? [] : ownTablesProblems(policy);
  if (problems.length > 0) throw badFields(problems);
}

/**
 * A Stripe client brings its key, or connects its account later where that is possible; the test gateway makes one.
 * @throws {DomainError} 400.
 */
export function checkGateway({ provider, secretKey }: GatewayBody, needsKey: boolean): void {
  if (provider === 'stripe' && secretKey === undefined && needsKey) {
    throw badField('gateway.secretKey', 'missing_field', 'is required for stripe', 'a Stripe key: sk_… or rk_…');
  }
  if (provider === 'test' && secretKey !== undefined) {
    const accepted = 'nothing: the test gateway makes its own';
    throw badField('gateway.secretKey', 'invalid_field', 'is not taken for test', accepted);
  }
}

/**
 * A test client is one on the test gateway, or on Stripe's protocol with a test key at an address of the operator's own
 * (docs/behaviour.md 7).
 */
export function natureOf(
  { provider, secretKey }: Pick<GatewayBody, 'provider'> & { secretKey?: string | undefined },
  { stripeApiBase }: { stripeApiBase: string | null },
): AccountNature {
  if (provider === 'test') return { livemode: false, isTest: true };
  const livemode = /^(sk|rk)_live_/.test(secretKey ?? '');
  return { livemode, isTest: !livemode && stripeApiBase !== null };
}

function urlProblems(field: string, url: string, policy: EgressPolicy): FieldProblem[] {
  const verdict = checkUrl(url, policy);
  if (verdict.kind === 'allowed') return [];
  return [{ field, code: 'invalid_field', message: verdict.message, accepted: verdict.accepted }];
}
