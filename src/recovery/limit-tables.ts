import { readTable, type TableRow } from './table-file.js';

const COUNTS = [
  'declines',
  'reattempts',
  'category_1',
  'advice_03',
  'advice_21',
  'advice_24',
  'advice_25',
  'advice_26',
  'advice_27',
  'advice_28',
  'advice_29',
  'advice_30',
  'return_code',
  'representments',
  'older_than',
] as const;

/**
 * One row of network-limits.csv: what a network, or a bank debit scheme, allows for one card or account.
 */
export interface NetworkLimit {
  name: string;
  network: 'visa' | 'mastercard' | 'debit' | 'other';
  per: 'card' | 'card_amount' | 'debt';
  counts: (typeof COUNTS)[number];
  /** How long what it counts stays counted, null for ever; for `older_than` the age from which a debt counts. */
  windowHours: number | null;
  /** From this many in the window on, the next attempt of ours is refused. */
  fullAt: number;
  /** The most that a merchant may set in place of `fullAt`. */
  fullAtMax: number;
  /** What the network itself allows; null where none is published. A fee falls due from there on. */
  networkFigure: number | null;
  meaning: string;
  source: string;
}

/** One row of network-fees.csv: what an attempt past the network's own figure costs. */
export interface NetworkFeeRow {
  limit: string;
  region: 'domestic' | 'cross_border' | 'any';
  /** First and, exclusive, last instant; null is open. */
  fromMs: number | null;
  untilMs: number | null;
  /** In the smallest unit of `currency`. */
  amountMinor: number;
  currency: string;
  source: string;
}

function limitRow(row: TableRow): NetworkLimit {
  const fullAt = required(row, 'full_at', 1, 100);
  const fullAtMax = required(row, 'full_at_max', 1, 100);
  if (fullAtMax < fullAt) throw row.bad('full_at_max is less than full_at');
  return {
    name: row.required('name'),
    network: row.oneOf('network', ['visa', 'mastercard', 'debit', 'other']),
    per: row.oneOf('per', ['card', 'card_amount', 'debt']),
    counts: row.oneOf('counts', COUNTS),
    windowHours: row.wholeNumber('window_hours', 1, 10_000),
    fullAt,
    fullAtMax,
    networkFigure: row.wholeNumber('network_figure', 0, 1_000),
    meaning: row.required('meaning'),
    source: row.required('source'),
  };
}

function required(row: TableRow, column: string, min: number, max: number): number {
  const value = row.wholeNumber(column, min, max);
  if (value === null) throw row.bad(`${column} is empty`);
  return value;
}

function feeRow(row: TableRow, limits: readonly NetworkLimit[]): NetworkFeeRow {
  const limit = row.required('limit');
  if (!limits.some((one) => one.name === limit)) throw row.bad(`limit "${limit}" is not in network-limits.csv`);
  return {
    limit,
    region: row.oneOf('region', ['domestic', 'cross_border', 'any']),
    fromMs: day(row, 'from'),
    untilMs: day(row, 'until'),
    amountMinor: required(row, 'amount_minor', 1, 100_000),
    currency: row.required('currency'),
    source: row.required('source'),
  };
}

function day(row: TableRow, column: string): number | null {
  const text = row.text(column);
  if (text === '') return null;
  const ms = Date.parse(`${text}T00:00:00Z`);
  if (!/^\d{4}-\d\d-\d\d$/.test(text) || Number.isNaN(ms))
    throw row.bad(`${column} is "${text}", accepted: YYYY-MM-DD`);
  return ms;
}

/** Builds both tables from their rows. @throws {BadTable} at the first row that breaks a rule. */
export function buildLimitTables(rows: { limits: TableRow[]; fees: TableRow[] }): {
  limits: readonly NetworkLimit[];
  fees: readonly NetworkFeeRow[];
} {
  const limits = rows.limits.map(limitRow);
  rows.limits.forEach((row, index) => {
    if (limits.findIndex((one) => one.name === limits[index]?.name) < index) throw row.bad('this name stands twice');
  });
  return { limits, fees: rows.fees.map((row) => feeRow(row, limits)) };
}

/** Loaded once, with the program: a bad row stops the start. */
export const LIMIT_TABLES = buildLimitTables({
  limits: readTable('network-limits.csv'),
  fees: readTable('network-fees.csv'),
});
