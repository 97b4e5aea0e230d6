import type { ClientSettings } from '../clients/client-settings.js';
import { FORCED_FAILURE_AMOUNT } from '../engine/event-composer.js';
import { hashToken, sealFallbacks } from '../engine/fallback-tokens.js';
import type { Recovery } from '../engine/recovery.js';
import { emailIdentity, tokenIdentity } from '../engine/token-identity.js';
import type { Vault } from '../platform/crypto/vault.js';
import { adviceFor } from '../recovery/advice.js';
import type { DeclineSignals } from '../recovery/facts.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { snapshotPolicy, type PolicyRequest } from '../recovery/policy.js';
import { defaultDeadline } from '../recovery/schedule.js';
import { messageFor } from '../recovery/wording.js';
import type { ExecuteRequest } from './execute-request.js';

/** A recovery as its request describes it, before any reading: sequence 0, nothing stored. `now` is the client's clock. */
export function newRecovery(
  id: string,
  client: ClientSettings,
  request: ExecuteRequest,
  idempotencyKey: string | null,
  now: Date,
  vault: Vault,
): Recovery {
  const owner = { clientId: client.id, id };
  const invoiceId = request.invoiceId ?? invoiceReference(request.reference);
  const originalId = request.originalGatewayTransactionId ?? null;
  const policyRequest = isForcedFailure(client, request) ? chargedOnce(policyOf(request)) : policyOf(request);
  const failedAt = failedAtOf(request);
  const fallbackTokens = request.fallbackConsent === true ? (request.fallbackPaymentMethodTokens ?? []) : [];
  // The gateway's own word on the card's country, once it is read, takes its place.
  const policy = snapshotPolicy({ request: policyRequest, client, cardCountry: request.cardOrigin ?? null });
  return {
    ...BLANK,
    ...owner,
    debtName: invoiceId ?? request.reference ?? originalId ?? id,
    idempotencyKey,
    reference: request.reference ?? null,
    customerId: request.customerId ?? null,
    gatewayCustomerId: request.gatewayCustomerId ?? null,
    invoiceId,
    originalGatewayTransactionId: originalId,
    originalFailedAt: instantOf(request.originalFailedAt),
    originalSignals: signalsOf(request),
    priorAttempts: (request.priorAttempts ?? []).map(({ at, declineCode }) => ({
      at,
      declineCode: declineCode ?? null,
    })),
    amountRequestedMinor: request.amount,
    amountMinor: request.amount,
    currency: (request.currency ?? client.defaultCurrency).toUpperCase(),
    tokenSealed: vault.seal(request.paymentMethodToken, tokenIdentity(owner)),
    tokenHash: hashToken(client.id, request.paymentMethodToken),
    fallbackSealed: sealFallbacks(vault, owner, fallbackTokens),
    fallbackLeft: fallbackTokens.length,
    hints: hintsOf(client, request),
    customerEmailSealed:
      request.customerEmail === undefined ? null : vault.seal(request.customerEmail, emailIdentity(owner)),
    advice: queuedAdvice(),
    message: messageFor('queued', null, 0),
    policy,
    metadata: request.metadata ?? {},
    simulateOutcome: request.simulateOutcome ?? null,
    livemode: client.livemode,
    isTest: client.isTest,
    roundOpenedAt: now,
    deadlineAt: policyRequest.deadlineAt ?? defaultDeadline(now),
    anchorAt: failedAt,
    lastAttemptAt: failedAt,
    attemptsRemaining: policy.attemptsMax,
    createdAt: now,
    updatedAt: now,
  };
}

/** What is said of it until its first step is known: a charge of ours follows. */
function queuedAdvice(): Recovery['advice'] {
  const { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry } = adviceFor({
    state: 'queued',
    endReason: null,
    route: null,
    detail: null,
    charges: 0,
  });
  return { recommendedAction, recommendedActionReason, recommendedActionDetail, willRetry };
}

/** The test gateway declines this amount whatever the card: one charge, in the request, and the end (docs/behaviour.md 8). */
function isForcedFailure({ gatewayProvider }: ClientSettings, { amount }: ExecuteRequest): boolean {
  return gatewayProvider === 'test' && amount === FORCED_FAILURE_AMOUNT;
}

function chargedOnce(policy: PolicyRequest): PolicyRequest {
  return { ...policy, attemptsMax: 1, firstCharge: 'now' };
}

const BLANK = {
  state: 'queued',
  endReason: null,
  endDetail: null,
  round: 1,
  sequence: 0,
  originalResolved: null,
  paymentObjectId: null,
  paymentObjectKind: null,
  paymentIsOurs: false,
  paymentReturnUrl: false,
  paymentReplacements: 0,
  paymentToCancel: null,
  wasUncollectible: false,
  card: null,
  cardFingerprint: null,
  tokenReusable: true,
  strategy: 'primary',
  scheduledTaken: 0,
  chargesMade: 0,
  attemptsOpened: 0,
  attemptCount: 0,
  nextTrigger: 'initial',
  dueAt: null,
  dueKind: null,
  readingsFailed: 0,
  waitingSince: null,
  lastSignals: null,
  trigger: null,
  recoveredAt: null,
  gatewayTransactionToken: null,
  gatewaysAttempted: 0,
  engineApplied: false,
  finalEventId: null,
  leaseToken: 1,
  leaseOwner: null,
  crashCount: 0,
} as const satisfies Partial<Recovery>;

/** Every gateway so far speaks Stripe: a reference that is an invoice's id names that invoice (docs/behaviour.md 1). */
function invoiceReference(reference: string | undefined): string | null {
  return reference?.startsWith('in_') ? reference : null;
}

export function policyOf(request: ExecuteRequest): PolicyRequest {
  const { deadlineAt, notBefore, ...rest } = request.policy ?? {};
  return { ...rest, deadlineAt: instantOf(deadlineAt), notBefore: instantOf(notBefore) };
}

/** When the charge that failed was made, as far as the request tells: the schedule and the gap run from there. */
export function failedAtOf(request: ExecuteRequest): Date | null {
  if (request.originalFailedAt !== undefined) return new Date(request.originalFailedAt);
  const prior = (request.priorAttempts ?? []).map(({ at }) => new Date(at).getTime());
  return prior.length === 0 ? null : new Date(Math.max(...prior));
}

function instantOf(text: string | undefined): Date | null {
  return text === undefined ? null : new Date(text);
}

function signalsOf(request: ExecuteRequest): DeclineSignals | null {
  const signals: DeclineSignals = {
    ...NO_SIGNALS,
    declineCode: request.originalDeclineCode ?? null,
    adviceCode: request.originalAdviceCode ?? null,
    networkDeclineCode: request.originalNetworkDeclineCode ?? null,
    networkAdviceCode: request.originalNetworkAdviceCode ?? null,
  };
  return Object.values(signals).every((value) => value === null) ? null : signals;
}

function hintsOf(client: ClientSettings, request: ExecuteRequest): Recovery['hints'] {
  const zoneOpen = request.policy?.timezone === undefined && client.timezone === null;
  return {
    ...(request.paymentMethodType === undefined ? {} : { paymentMethodType: request.paymentMethodType }),
    ...(request.cardOrigin === undefined ? {} : { cardOrigin: request.cardOrigin }),
    ...(request.binPrefix === undefined ? {} : { binPrefix: request.binPrefix }),
    ...(zoneOpen ? { zoneOpen } : {}),
  };
}
