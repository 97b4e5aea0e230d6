import pg from 'pg';
import Stripe from 'stripe';

import { SystemClock } from '../../src/platform/clock.js';
import { Ids } from '../../src/platform/ids.js';
import { SystemRandom } from '../../src/platform/random.js';
import { TestGatewayAdmin } from '../../src/test-gateway/admin.js';
import { startTestGateway, type TestGateway } from '../../src/test-gateway/server.js';
import { createTestDatabase } from './database.js';

const clock = new SystemClock();
const random = new SystemRandom();
export const ids = new Ids(clock, random);

/** One account on a running test gateway, and the official SDK that talks to it. */
export interface TestAccount {
  accountId: string;
  secretKey: string;
  stripe: Stripe;
  /** The customer to whom every raw token belongs. */
  cardholder: string;
}

/** A database of its own with a test gateway over it. */
export interface OwnTestGateway {
  pool: pg.Pool;
  admin: TestGatewayAdmin;
  gateway: TestGateway;
  /** What the servers reported as broken: empty, unless a test breaks something. */
  errors: unknown[];
  newAccount(): Promise<TestAccount>;
  /** One more server over the same schema, with connections of its own, as another process would have. */
  another(): Promise<{ gateway: TestGateway; pool: pg.Pool }>;
  stop(): Promise<void>;
}

export async function ownTestGateway(): Promise<OwnTestGateway> {
  const database = await createTestDatabase();
  const closers: (() => Promise<void>)[] = [];
  const errors: unknown[] = [];
  const another = async () => {
    const pool = new pg.Pool({ connectionString: database.url, max: 8, pipeline: true });
    // A backend that a test kills is no news; the query that ran on it tells its own caller.
    pool.on('error', () => undefined);
    const gateway = await startTestGateway({ pool, clock, random, onError: (error) => errors.push(error) });
    closers.push(async () => {
      await gateway.stop();
      await pool.end();
    });
    return { gateway, pool };
  };
  const { gateway, pool } = await another();
  const admin = new TestGatewayAdmin(pool, clock, random, gateway.url);
  const newAccount = async () => {
    const accountId = ids.prefixed('cli');
    const { secretKey } = await admin.createAccount(accountId);
    const stripe = sdk(gateway, secretKey);
    const { customer } = await stripe.paymentMethods.retrieve('pm_card_visa');
    return { accountId, secretKey, stripe, cardholder: idOf(customer) };
  };
  const stop = async () => {
    for (const close of closers) await close();
    await database.drop();
  };
  return { pool, admin, gateway, errors, newAccount, another, stop };
}

/** The official SDK, pointed at a test gateway, sending each call once. */
export function sdk({ port }: TestGateway, secretKey: string, timeoutMs = 5_000): Stripe {
  const address = { host: '127.0.0.1', port, protocol: 'http' } as const;
  return new Stripe(secretKey, { ...address, maxNetworkRetries: 0, telemetry: false, timeout: timeoutMs });
}

/** A payment as the engine makes one: unconfirmed, for the cardholder, without redirects. */
export function newPayment(
  { stripe, cardholder }: TestAccount,
  params: Partial<Stripe.PaymentIntentCreateParams> = {},
): Promise<Stripe.PaymentIntent> {
  return stripe.paymentIntents.create({
    amount: 2500,
    currency: 'usd',
    customer: cardholder,
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    ...params,
  });
}

/** A confirm as the engine sends it; its key defaults to one in the engine's form. */
export function charge(
  { stripe }: Pick<TestAccount, 'stripe'>,
  paymentIntentId: string,
  token: string,
  idempotencyKey = engineKey(),
): Promise<Stripe.PaymentIntent> {
  const params = { payment_method: token, off_session: true, error_on_requires_action: true };
  return stripe.paymentIntents.confirm(paymentIntentId, params, { idempotencyKey });
}

/** `<revtainTransactionId>:<attemptId>` */
export function engineKey(): string {
  return `${ids.ulid()}:${ids.prefixed('att')}`;
}

/** The id of what an answer may hold expanded. @throws when it holds nothing. */
export function idOf(held: string | { id: string } | null | undefined): string {
  if (held === null || held === undefined) throw new Error('There is no id.');
  return typeof held === 'string' ? held : held.id;
}

/** What a call that must fail fails with. */
export async function refusalOf(call: Promise<unknown>): Promise<Stripe.errors.StripeError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof Stripe.errors.StripeError) return error;
    throw error;
  }
  throw new Error('The call succeeded.');
}
