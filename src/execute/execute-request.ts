import type { BlackoutHours } from '../recovery/blackout.js';
import type { OwnSchedule } from '../recovery/own-policy.js';
import type { SimulatedOutcome } from '../engine/simulation.js';
import type { Preset } from '../recovery/facts.js';

/** What fields of these kinds accept, as a refusal says it. */
export const CURRENCY_ACCEPTED = 'an ISO 4217 code, such as USD; lower case is taken too';
export const COUNTRY_ACCEPTED = 'an ISO 3166 alpha-2 country code, such as US; lower case is taken too';

/** An execute body that has passed validation: the published names, instants still as ISO text. */
export interface ExecuteRequest {
  paymentMethodToken: string;
  amount: number;
  currency?: string;
  idempotencyKey?: string;
  originalDeclineCode?: string;
  originalAdviceCode?: string;
  originalNetworkDeclineCode?: string;
  originalNetworkAdviceCode?: string;
  originalGatewayTransactionId?: string;
  originalFailedAt?: string;
  priorAttempts?: { at: string; declineCode?: string }[];
  reference?: string;
  customerId?: string;
  gatewayCustomerId?: string;
  invoiceId?: string;
  fallbackPaymentMethodTokens?: string[];
  fallbackConsent?: boolean;
  paymentMethodType?: string;
  cardOrigin?: string;
  binPrefix?: string;
  customerEmail?: string;
  policy?: {
    preset?: Preset;
    attemptsMax?: number;
    deadlineAt?: string;
    notBefore?: string;
    timezone?: string;
    billingCycleDay?: number;
    firstCharge?: 'auto' | 'now' | 'scheduled';
    schedule?: OwnSchedule;
    blackoutHours?: BlackoutHours[];
    visaReattemptsMax?: number;
  };
  metadata?: Record<string, string>;
  simulateOutcome?: SimulatedOutcome;
}
