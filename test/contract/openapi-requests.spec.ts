import { describe, expect, it } from '@jest/globals';

import { CreateClientBody, CreateKeyBody, UpdateClientBody } from '../../src/clients/client.dto.js';
import { ExecuteDto } from '../../src/execute/execute.dto.js';
import { checkFields } from '../../src/platform/http/check-fields.js';
import { CancelDto, PaymentMethodDto, PulseDto, ResolveDto, RetryDto } from '../../src/recoveries/steering.dto.js';
import { MoveClockDto } from '../../src/sandbox/sandbox.controller.js';
import {
  CreateEndpointBody,
  RecoverBody,
  RotateSecretBody,
  UpdateEndpointBody,
} from '../../src/webhooks/endpoint.dto.js';
import { contractChecker } from '../support/contract.js';

/** A body that both sides take, with every field in it, and the class that the service checks it by. */
interface Call {
  schema: string;
  takes: new () => object;
  body: Record<string, unknown>;
  /** Fields that hang on more than one value: there one side alone may be the stricter one. */
  contractIsStricter?: string[];
  codeIsStricter?: string[];
}

const AT = '2026-11-21T09:30:00.000Z';
const SETTINGS = {
  gateway: { provider: 'stripe', secretKey: 'sk_test_1', webhookSecret: 'whsec_1' },
  billingCycleDay: 1,
  timezone: 'Europe/Berlin',
  dunningEnabled: true,
  notificationChannels: ['EMAIL'],
  alertWebhookUrl: 'https://acme.example/alerts',
  alertEmails: ['ada@example.com'],
  alertPhones: ['+4930123456'],
  cardUpdateDomain: 'pay.acme.example',
  brandName: 'Acme',
  brandLogoUrl: 'https://acme.example/logo.png',
  brandPrimaryColor: '#1A73E8',
  defaultCurrency: 'USD',
  locale: 'en',
  duplicateRequests: 'replay',
  customerActionHoldMinutes: 30,
  mode: 'recover',
  repairCallbackUrl: 'https://acme.example/repair',
  holdoutPercent: 0,
  executesPerMinute: 60,
  policy: { preset: 'fast', attemptsMax: 4, firstCharge: 'auto' },
};
// Addresses are judged by the egress rules, zones, currencies and languages by tables of their own.
const URLS = ['alertWebhookUrl', 'brandLogoUrl', 'repairCallbackUrl'];
const BY_TABLE = ['timezone', 'defaultCurrency', 'locale', 'cardUpdateDomain', 'alertEmails.0'];
// The gateway's fields hang on the provider; a patch must name something, and channels are named once.
const TOGETHER = ['gateway.provider', 'gateway.secretKey', 'gateway.webhookSecret', 'notificationChannels', ''];

const ENDPOINT = {
  url: 'https://acme.example/hooks',
  events: ['recovery.failed'],
  description: 'production',
  enabled: true,
  headers: { 'X-Gateway': 'k' },
  effectTracking: 'off',
  consolidate: false,
};

const CALLS: Call[] = [
  {
    schema: 'ExecuteRequest',
    takes: ExecuteDto,
    body: {
      paymentMethodToken: 'pm_card_visa',
      amount: 2500,
      currency: 'USD',
      idempotencyKey: 'inv_42',
      originalDeclineCode: 'do_not_honor',
      originalAdviceCode: 'try_again_later',
      originalNetworkDeclineCode: '51',
      originalNetworkAdviceCode: '03',
      originalGatewayTransactionId: 'pi_1',
      originalFailedAt: AT,
      priorAttempts: [{ at: AT, declineCode: '51' }],
      reference: 'inv_42',
      customerId: 'c_9',
      gatewayCustomerId: 'cus_1',
      invoiceId: 'in_1',
      fallbackPaymentMethodTokens: ['pm_2'],
      fallbackConsent: true,
      paymentMethodType: 'card',
      cardOrigin: 'US',
      binPrefix: '424242',
      customerEmail: 'ada@example.com',
      policy: {
        preset: 'standard',
        attemptsMax: 4,
        deadlineAt: AT,
        notBefore: AT,
        timezone: 'Europe/Berlin',
        billingCycleDay: 1,
        firstCharge: 'auto',
      },
      metadata: { plan: 'pro' },
      simulateOutcome: 'success',
    },
    // Below the floor the gateway decides, 44 being the test gateway's forced failure.
    contractIsStricter: ['amount'],
    codeIsStricter: ['policy.timezone'],
  },
  { schema: 'CancelRequest', takes: CancelDto, body: { reason: 'abandoned' } },
  { schema: 'RetryRequest', takes: RetryDto, body: { idempotencyKey: 'k' } },
  {
    schema: 'PaymentMethodRequest',
    takes: PaymentMethodDto,
    body: { paymentMethodToken: 'pm_2', idempotencyKey: 'k' },
  },
  {
    schema: 'ResolveRequest',
    takes: ResolveDto,
    body: { outcome: 'not_executed', evidence: { gatewayId: 'pi_1', note: 'seen' } },
  },
  { schema: 'PulseRequest', takes: PulseDto, body: { amount: 100, currency: 'USD', transactionId: 'order-42' } },
  {
    schema: 'ClientCreate',
    takes: CreateClientBody,
    body: { name: 'Acme', webhookUrl: 'https://acme.example/hooks', ...SETTINGS },
    contractIsStricter: [...URLS, 'webhookUrl', ...TOGETHER],
    codeIsStricter: BY_TABLE,
  },
  {
    schema: 'ClientUpdate',
    takes: UpdateClientBody,
    body: { name: 'Acme', ...SETTINGS },
    contractIsStricter: [...URLS, ...TOGETHER],
    codeIsStricter: BY_TABLE,
  },
  { schema: 'ClockRequest', takes: MoveClockDto, body: { advanceTo: AT } },
  {
    schema: 'EndpointCreate',
    takes: CreateEndpointBody,
    body: ENDPOINT,
    contractIsStricter: ['url', 'events', 'events.0'],
    codeIsStricter: ['headers'],
  },
  {
    schema: 'EndpointUpdate',
    takes: UpdateEndpointBody,
    body: ENDPOINT,
    contractIsStricter: ['url', 'events', 'events.0', ''],
    codeIsStricter: ['headers'],
  },
  { schema: 'RotateSecretRequest', takes: RotateSecretBody, body: { overlapHours: 24 } },
  { schema: 'RecoverRequest', takes: RecoverBody, body: { since: AT } },
  { schema: 'KeyCreate', takes: CreateKeyBody, body: { kind: 'secret', name: 'worker' } },
];

const VALUES: unknown[] = [
  ...[undefined, null, true, false, [], {}, [[]], [null], ['a'], ['a', 'b'], { a: 'b' }, { a: 1 }, { 'a b': '' }],
  ...[-1, 0, 1, 8, 9, 31, 32, 44, 45, 50, 51, 60, 1.5, 10_080, 10_081, 1_000_000, 1_000_001],
  ...[99_999_999, 100_000_000, 100_000_001, 2 ** 53],
  ...[
    '',
    ' ',
    'a',
    'A',
    'ab cd',
    'ä',
    'US',
    'USD',
    'usd',
    'US1',
    '42',
    '424242',
    '424242424',
    '+4930123456',
    '#1A73E8',
  ],
  ...[
    'in_1',
    'in_',
    'pi-1',
    'a|b',
    'a.b',
    'a:b',
    'sk_live_1',
    'whsec_1',
    'ada@example.com',
    'ada',
    'https://a.example/',
  ],
  ...['a'.repeat(7), 'a'.repeat(40), 'a'.repeat(41), 'a'.repeat(64), 'a'.repeat(65), 'a'.repeat(128), 'a'.repeat(129)],
  ...['a'.repeat(255), 'a'.repeat(256), 'a'.repeat(500), 'a'.repeat(501), 'a'.repeat(2049)],
  ...[AT, '2026-11-21T09:30:00+02:00', '2026-11-21', '2026-02-30T00:00:00Z', '2026-11-21T25:00:00Z', 'tomorrow'],
  ...[
    'test',
    'stripe',
    'now',
    'patient',
    'failed',
    'publishable',
    'reject',
    'observe',
    'succeeded',
    'paid_elsewhere',
    ['SMS'],
  ],
  Array.from({ length: 6 }, () => 'pm_1'),
  Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`k${index}`, 'v'])),
  Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`k${index}`, 'v'])),
];

/** Every path into the body, the body itself being ''. */
function pathsOf(value: unknown, path: string[] = []): string[][] {
  const parts = typeof value === 'object' && value !== null ? Object.entries(value) : [];
  return [path, ...parts.flatMap(([name, part]: [string, unknown]) => pathsOf(part, [...path, name]))];
}

/** A copy with one value put in; undefined takes the field away. */
function changed(body: unknown, [name, ...rest]: string[], value: unknown): unknown {
  if (name === undefined) return structuredClone(value);
  const copy = structuredClone(body) as Record<string, unknown> | unknown[];
  if (rest.length === 0 && value === undefined && Array.isArray(copy)) copy.splice(Number(name), 1);
  else if (rest.length === 0 && value === undefined) Reflect.deleteProperty(copy, name);
  else Object.assign(copy, { [name]: changed((copy as Record<string, unknown>)[name], rest, value) });
  return copy;
}

function disagreements({ schema, takes, body, contractIsStricter = [], codeIsStricter = [] }: Call): string[] {
  const contractTakes = (sent: unknown) =>
    contractChecker().problemsAt(['components', 'schemas', schema], sent).length === 0;
  const codeTakes = (sent: unknown) => checkFields(takes, sent).kind === 'ok';
  // An absent body is the route's matter, not the schema's.
  const cases = pathsOf(body).flatMap((path) =>
    [...VALUES.map((value) => ({ path, value })), { path: [...path, 'surprise'], value: 1 }].filter(
      (each) => each.path.length > 0 || each.value !== undefined,
    ),
  );
  return cases.flatMap(({ path, value }) => {
    if (path.at(-1) === 'surprise' && typeof pathValue(body, path.slice(0, -1)) !== 'object') return [];
    // Names of pairs are the merchant's own: they are tried whole.
    if (['metadata', 'headers'].includes(path[0] ?? '') && path.length > 1) return [];
    const sent = changed(body, path, value);
    const [contract, code] = [contractTakes(sent), codeTakes(sent)];
    const allowed = (contract ? codeIsStricter : contractIsStricter).includes(path.join('.'));
    if (contract === code || allowed) return [];
    return [
      `${path.join('.')} = ${JSON.stringify(value) ?? 'absent'}: ${contract ? 'only the contract' : 'only the code'} takes it`,
    ];
  });
}

function pathValue(body: unknown, path: string[]): unknown {
  return path.reduce<unknown>((held, name) => (held as Record<string, unknown>)[name], body);
}

describe('request bodies in openapi.yaml and in the code', () => {
  it.each(CALLS)('$schema: the sample is taken by both', ({ schema, takes, body }) => {
    expect(contractChecker().problemsAt(['components', 'schemas', schema], body)).toEqual([]);
    expect(checkFields(takes, body)).toMatchObject({ kind: 'ok' });
  });

  it.each(CALLS)('$schema: both take and refuse the same values in every field', (call) => {
    expect(disagreements(call)).toEqual([]);
  });
});
