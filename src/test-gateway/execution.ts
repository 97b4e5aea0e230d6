import { DatabaseError, type Pool, type PoolClient, type QueryConfig } from 'pg';

import type { Clock } from '../platform/clock.js';
import type { Random } from '../platform/random.js';
import { accountNow } from './account-work.js';
import { expanded } from './expand.js';
import type { FormParts } from './form-body.js';
import { isAlive, keepAnswer, keyInUse, keyUse, refuseOtherUse, type KeptAnswer, type KeyUse } from './idempotency.js';
import { Params } from './params.js';
import type { Reply, Wire } from './reply.js';
import type { Match } from './routes.js';
import { hashOfKey } from './secret-key.js';
import { settleDue } from './settle-due.js';
import { accountInvalid, envelope, StripeRefusal, unauthorized } from './stripe-refusal.js';
import { BEGIN, COMMIT, flight, ROLLBACK, withClient } from './transactions.js';
import { UnitOfWork } from './unit-of-work.js';

/** A request as it came in, with its route found. */
export interface GatewayRequest {
  method: string;
  path: string;
  match: Match;
  form: FormParts;
  secretKey: string;
  /** The connected account for which the key's own account, a platform, acts. */
  stripeAccount: string | null;
  idempotencyKey: string | null;
  requestId: string;
}

/** What goes back: the bytes of the body, and how they get there. */
export interface Answer {
  status: number;
  body: string;
  wire: Wire;
  /** The request whose answer this repeats, or null for a fresh one. */
  replayOf: string | null;
  /** Whether it left events behind that somebody waits for. */
  tells: boolean;
}

/** What every room of the gateway needs to work. */
export interface GatewayParts {
  pool: Pool;
  clock: Clock;
  random: Random;
  publicUrl: string;
}

interface Opening {
  accountId: string;
  now: Date;
  hasEndpoints: boolean;
  settlementDue: boolean;
  keyIsFree: boolean;
}

/**
 * Carries one request out. A call that changes something is one transaction: the key is locked, the change made and
 * the answer kept, all committed before it goes out, so that a killed process leaves either all of it or nothing.
 */
export async function execute(parts: GatewayParts, request: GatewayRequest): Promise<Answer> {
  try {
    return await attempt(parts, request, true);
  } catch (error) {
    if (error instanceof StripeRefusal) return refusalAnswer(error);
    if (isLockFailure(error)) return refusalAnswer(LOCKED);
    throw error;
  }
}

async function attempt(parts: GatewayParts, request: GatewayRequest, maySettle: boolean): Promise<Answer> {
  const read = request.method === 'GET';
  const result = await withClient(parts.pool, (client) =>
    read ? readOnly(parts, client, request, maySettle) : changing(parts, client, request, maySettle),
  );
  if (!('settleFirst' in result)) return result;
  await settleDue(parts, result.settleFirst);
  return attempt(parts, request, false);
}

type Result = Answer | { settleFirst: string };

async function readOnly(
  parts: GatewayParts,
  client: PoolClient,
  request: GatewayRequest,
  maySettle: boolean,
): Promise<Result> {
  const [found] = await flight(client, [openingQuery(parts, request, null)]);
  try {
    const opening = openingFrom(found?.rows[0], request);
    if (opening.settlementDue && maySettle) return { settleFirst: opening.accountId };
    const uow = unitOfWork(parts, client, opening, request);
    return answerOf(await run(uow, request));
  } catch (error) {
    if (error instanceof StripeRefusal) return refusalAnswer(error);
    throw error;
  }
}

async function changing(
  parts: GatewayParts,
  client: PoolClient,
  request: GatewayRequest,
  maySettle: boolean,
): Promise<Result> {
  const key = request.method === 'POST' ? request.idempotencyKey : null;
  const use = key === null ? null : keyUse(key, request.path, request.form);
  const [, found, kept] = await flight(client, [BEGIN, openingQuery(parts, request, key), keptQuery(request, key)]);
  try {
    const opening = openingFrom(found?.rows[0], request);
    if (key !== null && !opening.keyIsFree) throw keyInUse(key);
    const before = kept?.rows[0] as KeptAnswer | undefined;
    if (use && before && isAlive(before, opening.now)) {
      refuseOtherUse(before, use);
      await flight(client, [ROLLBACK]);
      return { status: before.status, body: before.body, wire: 'whole', replayOf: before.request_id, tells: false };
    }
    if (opening.settlementDue && maySettle) {
      await flight(client, [ROLLBACK]);
      return { settleFirst: opening.accountId };
    }
    return await carryOut(parts, client, request, opening, use);
  } catch (error) {
    if (!(error instanceof StripeRefusal)) throw error;
    await flight(client, [ROLLBACK]);
    return refusalAnswer(error);
  }
}

async function carryOut(
  parts: GatewayParts,
  client: PoolClient,
  request: GatewayRequest,
  opening: Opening,
  use: KeyUse | null,
): Promise<Answer> {
  const uow = unitOfWork(parts, client, opening, request);
  const reply = await run(uow, request).catch((error: unknown) => {
    if (!(error instanceof StripeRefusal) || !error.executed) throw error;
    uow.discard();
    return refusalReply(error);
  });
  const kept =
    use && reply.remembered ? [keepAnswer(opening.accountId, use, reply, request.requestId, opening.now)] : [];
  await flight(client, [...uow.writes(parts.clock.now()), ...kept, COMMIT]);
  return { ...answerOf(reply), tells: opening.hasEndpoints };
}

async function run(uow: UnitOfWork, { match, form }: GatewayRequest): Promise<Reply> {
  const params = new Params(form);
  const expand = params.texts('expand');
  const reply = await match.handler({ uow, params, id: match.id });
  return reply.status === 200 ? { ...reply, body: await expanded(uow, reply.body, expand) } : reply;
}

function unitOfWork(parts: GatewayParts, client: PoolClient, opening: Opening, request: GatewayRequest): UnitOfWork {
  const { accountId, now, hasEndpoints } = opening;
  const { requestId, idempotencyKey } = request;
  const scope = { accountId, now, hasEndpoints, requestId, idempotencyKey, publicUrl: parts.publicUrl };
  return new UnitOfWork(client, scope, parts.random);
}

/** The account of the key, or the connected one that it names ($4, `acct_…`) while its connection lasts. */
const CALLED_ACCOUNT = `test_gateway.secret_keys k JOIN test_gateway.accounts a
  ON a.account_id = coalesce('cli_' || substr($4::text, 6), k.account_id)
  AND ($4::text IS NULL OR EXISTS (SELECT 1 FROM test_gateway.connections c
    WHERE c.platform_id = k.account_id AND c.account_id = a.account_id AND c.is_granted))`;

/**
 * Finds the account by its key, tells its clock, and takes the idempotency key for the length of the transaction. The
 * lock is PostgreSQL's own, so a process that dies gives it back.
 */
function openingQuery(parts: GatewayParts, request: GatewayRequest, key: string | null): QueryConfig {
  return {
    name: 'test_gateway_open',
    text: `SELECT a.account_id, ${accountNow('$3')} AS now, a.endpoints > 0 AS has_endpoints,
        EXISTS (SELECT 1 FROM test_gateway.settlements s WHERE s.account_id = a.account_id
          AND s.due_at <= ${accountNow('$3')}) AS settlement_due,
        $2::text IS NULL OR pg_try_advisory_xact_lock(hashtextextended(a.account_id || '/' || $2, 41)) AS key_is_free,
        set_config('lock_timeout', '5s', true)
      FROM ${CALLED_ACCOUNT} WHERE k.key_hash = $1`,
    values: [hashOfKey(request.secretKey), key, parts.clock.now(), request.stripeAccount],
  };
}

// Read after the lock is had, in a statement of its own: a snapshot taken before could miss the answer just kept.
function keptQuery(request: GatewayRequest, key: string | null): QueryConfig {
  return {
    name: 'test_gateway_kept',
    text: `SELECT i.path, i.fingerprint, i.status, i.body, i.request_id, i.stored_at
      FROM test_gateway.secret_keys k JOIN test_gateway.idempotency i
        ON i.account_id = coalesce('cli_' || substr($3::text, 6), k.account_id)
      WHERE k.key_hash = $1 AND i.key = $2`,
    values: [hashOfKey(request.secretKey), key, request.stripeAccount],
  };
}

function openingFrom(row: Record<string, unknown> | undefined, { stripeAccount }: GatewayRequest): Opening {
  if (!row) throw stripeAccount === null ? unauthorized('Invalid API Key provided.') : accountInvalid(stripeAccount);
  return {
    accountId: String(row.account_id),
    now: row.now as Date,
    hasEndpoints: row.has_endpoints === true,
    settlementDue: row.settlement_due === true,
    keyIsFree: row.key_is_free === true,
  };
}

const LOCKED = new StripeRefusal(429, {
  type: 'invalid_request_error',
  code: 'lock_timeout',
  message: 'This object cannot be accessed right now because another API request is currently accessing it.',
});

/** Lock not available in time, or a deadlock that PostgreSQL broke: to Stripe's callers both are `lock_timeout`. */
function isLockFailure(error: unknown): boolean {
  return error instanceof DatabaseError && (error.code === '55P03' || error.code === '40P01');
}

function refusalReply(refusal: StripeRefusal): Reply {
  return { status: refusal.status, body: envelope(refusal.fields), wire: 'whole', remembered: refusal.executed };
}

function refusalAnswer(refusal: StripeRefusal): Answer {
  return answerOf(refusalReply(refusal));
}

function answerOf(reply: Reply): Answer {
  return { status: reply.status, body: JSON.stringify(reply.body), wire: reply.wire, replayOf: null, tells: false };
}
