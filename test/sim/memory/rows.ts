import { ATTEMPT_COLUMNS, RECOVERY_COLUMNS } from '../../../src/engine/recovery-sql.js';
import type { AttemptOutcome, DueKind } from '../../../src/engine/recovery.js';
import type { EndReason, State } from '../../../src/recovery/facts.js';

/** A row as PostgreSQL gives it: instants are `Date`, bytes are `Buffer`, 64-bit integers are numbers here. Never changed, only replaced. */
export type Row = Readonly<Record<string, unknown>>;

export interface RecoveryRow extends Row {
  client_id: string;
  id: string;
  state: State;
  end_reason: EndReason | null;
  round: number;
  sequence: number;
  debt_name: string;
  original_resolved: string | null;
  payment_object_id: string | null;
  payment_object_kind: 'payment' | 'invoice' | null;
  payment_is_ours: boolean;
  payment_to_cancel: string | null;
  reference: string | null;
  customer_id: string | null;
  amount_requested_minor: number;
  amount_minor: number;
  currency: string;
  token_hash: Buffer;
  card: unknown;
  deadline_at: Date;
  due_at: Date | null;
  due_kind: DueKind | null;
  recovered_at: Date | null;
  lease_token: number;
  lease_owner: string | null;
  crash_count: number;
  created_at: Date;
}

export interface AttemptRow extends Row {
  client_id: string;
  id: string;
  recovery_id: string;
  number: number;
  round: number;
  amount_minor: number;
  currency: string;
  token_hash: Buffer;
  card_fingerprint: string | null;
  gateway_key: string;
  outcome: AttemptOutcome | null;
  opened_at: Date;
  sent_at: Date;
  ended_at: Date | null;
  signals: Row | null;
  scheduled: boolean;
}

export interface TimelineRow extends Row {
  client_id: string;
  recovery_id: string;
  sequence: number;
  type: string;
  from_state: State | null;
  to_state: State;
}

export interface KeyRow extends Row {
  client_id: string;
  key: string;
  fingerprint: Buffer;
  recovery_id: string | null;
  status_code: number | null;
  body: Buffer | null;
  lease_owner: string | null;
  lease_until: Date | null;
}

export interface CardStopRow extends Row {
  client_id: string;
  debt_name: string;
  card_fingerprint: string | null;
  token_hash: Buffer;
  kind: 'blocked' | 'stopped';
  signals: Row;
}

export interface SeenChargeRow extends Row {
  client_id: string;
  debt_name: string;
  at: Date;
  card_fingerprint: string | null;
  token_hash: Buffer;
  amount_minor: number;
  currency: string;
  network_decline_code: string | null;
  network_advice_code: string | null;
}

export interface AlertRow extends Row {
  client_id: string;
  id: string;
  kind: string;
  recovery_id: string | null;
  dedupe_key: string;
  resolved_at: Date | null;
}

const DATES = new Set(
  `original_failed_at round_opened_at deadline_at anchor_at last_attempt_at due_at waiting_since recovered_at created_at
   updated_at opened_at sent_at lost_at ended_at at held_until next_try_at throttled_until`.split(/\s+/),
);
const BYTES = new Set([
  'token_sealed',
  'token_hash',
  'fallback_sealed',
  'customer_email_sealed',
  'body',
  'fingerprint',
]);

/** What `jsonb_populate_record` makes of a JSON object: the columns asked for, null where it has none. */
export function populate<R extends Row>(json: Row, columns: readonly string[]): R {
  const row: Record<string, unknown> = {};
  for (const column of columns) row[column] = valueOf(column, json[column]);
  return row as R;
}

function valueOf(column: string, value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (typeof value !== 'string') return value;
  if (DATES.has(column)) return new Date(value);
  return BYTES.has(column) ? Buffer.from(value.slice(2), 'hex') : value;
}

export function recoveryRow(json: Row): RecoveryRow {
  return populate<RecoveryRow>(json, RECOVERY_COLUMNS);
}

export function attemptRow(json: Row): AttemptRow {
  return populate<AttemptRow>(json, ATTEMPT_COLUMNS);
}

/** Reads a parameter that holds a JSON array of rows. */
export function rowsOf<R extends Row>(value: unknown, columns: readonly string[]): R[] {
  return (JSON.parse(value as string) as Row[]).map((json) => populate<R>(json, columns));
}
