import type { Bucket, FirstStep, Preset, Scope, ScheduleGroup, ScheduleRow } from './facts.js';
import { BadTable, readTable, type TableRow } from './table-file.js';

export const PRESETS = ['standard', 'fast', 'patient'] as const satisfies readonly Preset[];
export const GROUPS = [
  'funds',
  'ambiguous',
  'limit',
  'technical',
  'debit',
  'unlisted',
] as const satisfies readonly ScheduleGroup[];

export const BUCKETS = [
  'retry_only',
  'blended',
  'hard',
  'authentication',
  'fraud',
  'configuration',
] as const satisfies readonly Bucket[];
const SCOPES = ['debt', 'read_first', 'account', 'back_off'] as const satisfies readonly Scope[];
const STEPS = [
  'charge',
  'queue',
  'look_then_charge',
  'look_then_fail',
  'fail',
  'authenticate',
  'block',
] as const satisfies readonly FirstStep[];

/** Answered with 403 beside the whole bucket `fraud`: the published contract names them one by one. */
export const NEVER_CHARGE_CODES: ReadonlySet<string> = new Set([
  'lost_card',
  'stolen_card',
  'pickup_card',
  'restricted_card',
  'lost_or_stolen_card',
  'revocation_of_authorization',
  'revocation_of_all_authorizations',
  'stop_payment_order',
]);

export type CodeKind = 'decline_code' | 'error_code';

/** One row of decline-codes.csv. */
export interface DeclineRow {
  code: string;
  kind: CodeKind;
  meaning: string;
  bucket: Bucket;
  scope: Scope;
  firstStep: FirstStep;
  retryable: 'yes' | 'after_customer_action' | 'no';
  group: ScheduleGroup | null;
  recommendedAction: 'request_card_update' | 'retry_later' | 'manual_review' | 'authenticate';
  finalAction: 'request_card_update' | 'manual_review';
  customerMessageSafe: string;
  source: string;
}

/** One row of network-decline-codes.csv: what an issuer's raw code means, per network. */
export interface NetworkRow {
  network: string;
  code: string;
  visaCategory: number | null;
  closestCode: string;
  /** `alone`: says something only where no decline or error code was given. */
  weight: 'always' | 'alone';
  autoRetry: 'yes' | 'no' | 'after_customer_action';
  recommendedAction: 'request_card_update' | 'retry_later' | 'manual_review' | 'authenticate';
}

/** One row of advice-codes.csv. */
export interface AdviceRow {
  network: 'stripe' | 'mastercard';
  code: string;
  effect: 'never' | 'later' | 'fix_data' | 'update_credentials' | 'wait' | 'single_use' | 'none';
  waitHours: number | null;
}

export interface Tables {
  declines: ReadonlyMap<string, DeclineRow>;
  networks: ReadonlyMap<string, NetworkRow>;
  advice: ReadonlyMap<string, AdviceRow>;
  schedules: Readonly<Record<Preset, Readonly<Record<ScheduleGroup, ScheduleRow>>>>;
}

/** Builds the decision tables from their rows. @throws {BadTable} at the first row that breaks a rule. */
export function buildTables(rows: Record<'declines' | 'networks' | 'advice' | 'schedules', TableRow[]>): Tables {
  const declines = byKey(rows.declines, declineRow, (row) => `${row.kind}:${row.code}`);
  const networks = byKey(
    rows.networks,
    (row) => networkRow(row, declines),
    (row) => `${row.network}:${row.code}`,
  );
  const advice = byKey(rows.advice, adviceRow, (row) => `${row.network}:${row.code}`);
  return { declines, networks, advice, schedules: schedulesOf(rows.schedules) };
}

function byKey<T>(rows: TableRow[], read: (row: TableRow) => T, key: (value: T) => string): Map<string, T> {
  const map = new Map<string, T>();
  for (const row of rows) {
    const value = read(row);
    if (map.has(key(value))) throw row.bad(`${key(value)} stands twice`);
    map.set(key(value), value);
  }
  return map;
}

const ACTIONS = ['request_card_update', 'retry_later', 'manual_review', 'authenticate'] as const;
const RETRYABLE = ['yes', 'after_customer_action', 'no'] as const;

function declineRow(row: TableRow): DeclineRow {
  const group = row.text('schedule_group');
  const decline: DeclineRow = {
    code: row.required('code'),
    kind: row.oneOf('kind', ['decline_code', 'error_code']),
    meaning: row.required('meaning'),
    bucket: row.oneOf('bucket', BUCKETS),
    scope: row.oneOf('scope', SCOPES),
    firstStep: row.oneOf('first_step', STEPS),
    retryable: row.oneOf('retryable', RETRYABLE),
    group: group === '' ? null : row.oneOf('schedule_group', GROUPS),
    recommendedAction: row.oneOf('recommended_action', ACTIONS),
    finalAction: row.oneOf('final_action', ['request_card_update', 'manual_review']),
    customerMessageSafe: row.text('customer_message_safe'),
    source: row.required('source'),
  };
  checkDecline(row, decline);
  return decline;
}

/** The columns of a row must not contradict each other: the code relies on each of these. */
function checkDecline(row: TableRow, decline: DeclineRow): void {
  const never = decline.bucket === 'fraud' || NEVER_CHARGE_CODES.has(decline.code);
  if (never !== (decline.firstStep === 'block'))
    throw row.bad('block is for the never-charge codes, and for them alone');
  if ((decline.bucket === 'authentication') !== (decline.firstStep === 'authenticate')) {
    throw row.bad('first_step authenticate goes with bucket authentication');
  }
  const charging = ['charge', 'queue', 'look_then_charge'].includes(decline.firstStep);
  if (charging !== (decline.retryable === 'yes')) throw row.bad('only a retryable row may lead to a charge');
  if ((decline.group !== null) !== (decline.retryable === 'yes' && decline.scope !== 'back_off')) {
    throw row.bad('a schedule_group goes with retryable rows');
  }
}

function networkRow(row: TableRow, declines: ReadonlyMap<string, DeclineRow>): NetworkRow {
  const closestCode = row.required('closest_stripe_code');
  if (!declines.has(`decline_code:${closestCode}`) && !declines.has(`error_code:${closestCode}`)) {
    throw row.bad(`closest_stripe_code "${closestCode}" is not in decline-codes.csv`);
  }
  return {
    network: row.required('network'),
    code: row.required('code'),
    visaCategory: row.wholeNumber('visa_category', 1, 4),
    closestCode,
    weight: row.oneOf('weight', ['always', 'alone']),
    autoRetry: row.oneOf('auto_retry', RETRYABLE),
    recommendedAction: row.oneOf('recommended_action', ACTIONS),
  };
}

function adviceRow(row: TableRow): AdviceRow {
  const effect = row.oneOf('effect', [
    'never',
    'later',
    'fix_data',
    'update_credentials',
    'wait',
    'single_use',
    'none',
  ] as const);
  const waitHours = row.wholeNumber('wait_hours', 1, 720);
  if (effect === 'wait' && waitHours === null) throw row.bad('effect wait needs wait_hours');
  return { network: row.oneOf('network', ['stripe', 'mastercard']), code: row.required('code'), effect, waitHours };
}

function schedulesOf(rows: TableRow[]): Tables['schedules'] {
  const found = byKey(
    rows,
    (row) => ({
      preset: row.oneOf('preset', PRESETS),
      group: row.oneOf('schedule_group', GROUPS),
      schedule: scheduleRow(row),
    }),
    (value) => `${value.preset}:${value.group}`,
  );
  const preset = (name: Preset) =>
    Object.fromEntries(
      GROUPS.map((group) => {
        const entry = found.get(`${name}:${group}`);
        if (!entry) throw new BadTable('schedules.csv', 0, `${name} has no row for ${group}`);
        return [group, entry.schedule];
      }),
    ) as Record<ScheduleGroup, ScheduleRow>;
  return { standard: preset('standard'), fast: preset('fast'), patient: preset('patient') };
}

function scheduleRow(row: TableRow): ScheduleRow {
  const slotsHours = row.required('slots_hours').split(' ').map(Number);
  const rising = slotsHours.every((slot, index) => Number.isInteger(slot) && slot > (slotsHours[index - 1] ?? 0));
  if (!rising || slotsHours.length > 8) throw row.bad('slots_hours must be 1 to 8 rising whole hours');
  const gapHours = row.wholeNumber('gap_hours', 0, 720);
  if (gapHours === null) throw row.bad('gap_hours is empty');
  const jitter = jitterOf(row.text('jitter'));
  if (jitter === null) throw row.bad('jitter must be minutes (45m) or a share (20%)');
  return {
    slotsHours,
    gapHours,
    localHour: row.wholeNumber('local_hour', 0, 23),
    paydayShift: row.oneOf('payday_shift', ['yes', 'no']) === 'yes',
    jitter,
  };
}

/** Reads `45m` (minutes) or `20%` (a share); null for anything else. */
export function jitterOf(text: string): ScheduleRow['jitter'] | null {
  const match = /^(\d{1,2})(m|%)$/.exec(text);
  if (!match) return null;
  const max = Number(match[1]);
  return match[2] === 'm' ? { kind: 'minutes', max } : { kind: 'share', max: max / 100 };
}

/** Loaded once, with the program: a bad row stops the start. */
export const TABLES: Tables = buildTables({
  declines: readTable('decline-codes.csv'),
  networks: readTable('network-decline-codes.csv'),
  advice: readTable('advice-codes.csv'),
  schedules: readTable('schedules.csv'),
});

// Asked at every decision: found without building the tables' own keys.
const DECLINES: Readonly<Record<CodeKind, ReadonlyMap<string, DeclineRow>>> = {
  decline_code: new Map([...TABLES.declines.values()].filter(isOf('decline_code')).map((row) => [row.code, row])),
  error_code: new Map([...TABLES.declines.values()].filter(isOf('error_code')).map((row) => [row.code, row])),
};
const NETWORKS = byNetwork(TABLES.networks.values());
const ADVICE = byNetwork(TABLES.advice.values());

function isOf(kind: CodeKind): (row: DeclineRow) => boolean {
  return (row) => row.kind === kind;
}

function byNetwork<T extends { network: string; code: string }>(
  rows: Iterable<T>,
): ReadonlyMap<string, ReadonlyMap<string, T>> {
  const found = new Map<string, Map<string, T>>();
  for (const row of rows) {
    const own = found.get(row.network) ?? new Map<string, T>();
    found.set(row.network, own.set(row.code, row));
  }
  return found;
}

/**
 * The row of a code: as decline code first, then as error code, since one string can be both.
 * `kind` error_code looks in the other order, for a gateway's own `code`.
 */
export function findDeclineRow(code: string, kind: CodeKind = 'decline_code'): DeclineRow | null {
  const other = kind === 'decline_code' ? 'error_code' : 'decline_code';
  return DECLINES[kind].get(code) ?? DECLINES[other].get(code) ?? null;
}

/** What a raw code means on its network; null when no row says. */
export function findNetworkRow(network: string, code: string): NetworkRow | null {
  return NETWORKS.get(network)?.get(code) ?? null;
}

/** What an advice code asks for; null when no row says. */
export function findAdviceRow(network: AdviceRow['network'], code: string): AdviceRow | null {
  return ADVICE.get(network)?.get(code) ?? null;
}
