import type { DeclineSignals, FirstStep } from './facts.js';
import {
  type AdviceRow,
  type DeclineRow,
  findAdviceRow,
  findDeclineRow,
  findNetworkRow,
  type NetworkRow,
} from './tables.js';

/** What is known of a card or account besides the decline itself. */
export interface RouteHints {
  /** First 6 to 8 digits: tells the network where the gateway does not. */
  binPrefix?: string | null;
  /** The gateway's type of payment method, such as `card` or `sepa_debit`. */
  paymentMethodType?: string | null;
}

/** Payment methods that a bank returns days later: they never run on a card's schedule. */
const DEBIT_TYPES: ReadonlySet<string> = new Set([
  'us_bank_account',
  'sepa_debit',
  'bacs_debit',
  'au_becs_debit',
  'acss_debit',
  'nz_bank_account',
]);

/** True for the payment method type of a bank debit. */
export function isDebitType(type: string): boolean {
  return DEBIT_TYPES.has(type);
}

/** True for bank debits, by the payment method's type or the network that answered. */
export function isBankDebit(signals: DeclineSignals, hints: RouteHints): boolean {
  return DEBIT_TYPES.has(hints.paymentMethodType ?? '') || DEBIT_TYPES.has(signals.brand ?? '');
}

/** Codes are compared in one spelling, so that STOLEN_CARD is never charged as an unknown code. Null for blank. */
export function plainCode(code: string | null): string | null {
  const plain = code?.trim().toLowerCase() ?? '';
  return plain === '' ? null : plain;
}

/** Raw network codes are upper case, and a single digit has lost its leading zero on the way. Null for blank. */
export function rawCode(code: string | null | undefined): string | null {
  const raw = code?.trim().toUpperCase() ?? '';
  if (raw === '') return null;
  return /^\d$/.test(raw) ? `0${raw}` : raw;
}

/** The network that the raw codes belong to: the same number means different things on different networks. */
export function networkOf(signals: DeclineSignals, hints: RouteHints): string | null {
  const brand = plainCode(signals.brand);
  if (brand !== null) return brand;
  const type = hints.paymentMethodType ?? '';
  return DEBIT_TYPES.has(type) ? type : brandOfPrefix(hints.binPrefix ?? null);
}

/** Card prefixes by ISO/IEC 7812 ranges, as far as our tables know the network. */
function brandOfPrefix(binPrefix: string | null): string | null {
  if (binPrefix === null || !/^\d{6,8}$/.test(binPrefix)) return null;
  const four = Number(binPrefix.slice(0, 4));
  if (binPrefix.startsWith('4')) return 'visa';
  if ((four >= 5100 && four <= 5599) || (four >= 2221 && four <= 2720)) return 'mastercard';
  if (binPrefix.startsWith('34') || binPrefix.startsWith('37')) return 'amex';
  return null;
}

/** The network's row for a raw code; a decline code that is itself a raw code (`51`) is read as one too. */
export function networkRowOf(signals: DeclineSignals, hints: RouteHints): NetworkRow | null {
  const network = networkOf(signals, hints);
  if (network === null) return null;
  const raw = rawCode(signals.networkDeclineCode);
  const row = raw === null ? null : findNetworkRow(network, raw);
  if (row !== null) return row;
  const code = rawCode(signals.declineCode);
  return code === null ? null : findNetworkRow(network, code);
}

/** Advice of the gateway and of Mastercard. A two-digit advice of another network is not Mastercard's: left out. */
export function adviceRowsOf(signals: DeclineSignals, hints: RouteHints): readonly AdviceRow[] {
  const own = plainCode(signals.adviceCode);
  const raw = rawCode(signals.networkAdviceCode);
  if (own === null && raw === null) return NO_ADVICE;
  const network = networkOf(signals, hints);
  const rows = [
    own === null ? null : findAdviceRow('stripe', own),
    raw !== null && (network === null || network === 'mastercard') ? findAdviceRow('mastercard', raw) : null,
  ];
  return rows.filter((row): row is AdviceRow => row !== null);
}

const NO_ADVICE: readonly AdviceRow[] = [];

/** What a gateway says with every decline: beside a decline code it adds nothing. */
const GENERIC_ERROR = 'card_declined';

/**
 * The row of the decline code, else of the error code; null when neither has one. A decline code that no table knows stays
 * unlisted, whatever generic error it came with.
 */
export function codeRowOf(signals: DeclineSignals): DeclineRow | null {
  const declineCode = plainCode(signals.declineCode);
  const errorCode = plainCode(signals.errorCode);
  const byDecline = declineCode === null ? null : findDeclineRow(declineCode);
  if (byDecline !== null || errorCode === null) return byDecline;
  return declineCode !== null && errorCode === GENERIC_ERROR ? null : findDeclineRow(errorCode, 'error_code');
}

/** The step that an advice row asks for; null when it says nothing about whether to charge. */
export function adviceStep(row: AdviceRow): FirstStep | null {
  switch (row.effect) {
    case 'never':
    case 'fix_data':
    case 'update_credentials':
    case 'single_use':
      return 'fail';
    case 'wait':
    case 'later':
    case 'none':
      return null;
  }
}

/** The step of the closest code, unless the network forbids the retry that this code would allow. */
export function networkStep(network: NetworkRow, row: DeclineRow): FirstStep {
  return network.autoRetry !== 'yes' && row.retryable === 'yes' ? 'fail' : row.firstStep;
}

const ORDER: readonly FirstStep[] = [
  'charge',
  'queue',
  'look_then_charge',
  'look_then_fail',
  'fail',
  'authenticate',
  'block',
];

/** Rank of a step: block > authenticate > fail > look > queue > charge. */
export function strictness(step: FirstStep): number {
  return ORDER.indexOf(step);
}
