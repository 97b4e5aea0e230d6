import { parseArgs } from 'node:util';

import { type ExplainFacts, type Explanation, explainDecision, type Instant } from '../src/recovery/explain.js';
import { wallAt } from '../src/recovery/local-time.js';
import { ATTEMPTS_MAX, snapshotPolicy, validatePolicyRequest } from '../src/recovery/policy.js';
import { PRESETS } from '../src/recovery/tables.js';
import { customerText } from '../src/recovery/wording.js';
import { SystemClock } from '../src/platform/clock.js';

const HELP = `npm run explain -- --code do_not_honor --brand visa --attempts 2 --zone America/New_York

Prints what is decided after a decline, which rules were weighed and which won, and the instants that follow, as if each
charge were declined alike, without jitter. Nothing is charged, stored or read.

  --code          decline code, as the gateway names it; left out: none was named
  --attempts      our charges so far, the first at --at; 0: the code is named in the request. Default 1
  --at            when the request came, ISO 8601; default now
  --zone          IANA time zone of the customer; default the card's country's, else UTC
  --country       the card's country, ISO 3166 alpha-2
  --brand         visa, mastercard, amex …
  --type          payment method type, such as us_bank_account, where it is no card
  --advice        the gateway's advice code, such as do_not_try_again
  --network-code  the network's raw response code, such as 51
  --mac           Mastercard's merchant advice code, such as 24
  --preset        ${PRESETS.join(', ')}; default standard
  --help          this text`;

/** A wrong argument: told in one line. */
class BadArgument extends Error {}

const ATTEMPTS_DEFAULT = 1;
const OPTION = { type: 'string' } as const;
const OPTIONS = {
  code: OPTION,
  attempts: OPTION,
  at: OPTION,
  zone: OPTION,
  country: OPTION,
  brand: OPTION,
  type: OPTION,
  advice: OPTION,
  'network-code': OPTION,
  mac: OPTION,
  preset: OPTION,
  help: { type: 'boolean' },
} as const;

function readFacts(values: Partial<Record<Exclude<keyof typeof OPTIONS, 'help'>, string>>): ExplainFacts {
  const at = values.at === undefined ? new SystemClock().now() : new Date(values.at);
  if (Number.isNaN(at.getTime())) throw new BadArgument(`--at is no instant: ${values.at ?? ''}`);
  const attempts = Number(values.attempts ?? ATTEMPTS_DEFAULT);
  if (!Number.isInteger(attempts) || attempts < 0 || attempts > ATTEMPTS_MAX) {
    throw new BadArgument(`--attempts must be a whole number from 0 to ${ATTEMPTS_MAX}`);
  }
  const preset = PRESETS.find((one) => one === (values.preset ?? 'standard'));
  if (preset === undefined) throw new BadArgument(`--preset must be one of ${PRESETS.join(', ')}`);
  const request = { preset, timezone: values.zone ?? null };
  const [problem] = validatePolicyRequest(request, null, at);
  if (problem) throw new BadArgument(`--zone ${problem.message}: ${problem.accepted}`);
  const cardCountry = values.country?.toUpperCase() ?? null;
  if (cardCountry !== null && !/^[A-Z]{2}$/.test(cardCountry)) {
    throw new BadArgument('--country must be two letters, such as US');
  }
  const client = { policy: null, timezone: null, billingCycleDay: null };
  return {
    signals: {
      declineCode: values.code ?? null,
      errorCode: null,
      adviceCode: values.advice ?? null,
      networkDeclineCode: values['network-code'] ?? null,
      networkAdviceCode: values.mac ?? null,
      brand: values.brand ?? null,
    },
    paymentMethodType: values.type ?? null,
    cardCountry,
    policy: snapshotPolicy({ request, client, cardCountry }),
    attempts,
    at,
  };
}

function printed(facts: ExplainFacts, explanation: Explanation): string {
  const { policy } = facts;
  const said = [`${facts.signals.declineCode ?? 'no code'}`, facts.signals.brand, facts.paymentMethodType];
  const head = `${said.filter((one) => one !== null).join(', ')}; preset ${policy.preset}, ${policy.timezone}`;
  return [
    head,
    '',
    `decision  ${decisionText(explanation)}`,
    ...(explanation.readFirst
      ? ['          only if the payment, read first, is neither succeeded, processing nor paid']
      : []),
    `rule      ${explanation.decision.rule.name}  (${explanation.decision.rule.source})`,
    ...adviceText(explanation),
    '',
    'rules weighed, in the order of precedence (> won)',
    ...explanation.weighed.map((one) => `${one.won ? '>' : ' '} ${one.rule.padEnd(42)} ${one.says}\n    ${one.source}`),
    '',
    ...instants('charges so far', explanation.made, policy.timezone),
    ...instants('next instants, without jitter', explanation.next, policy.timezone),
    ...endText(explanation),
  ].join('\n');
}

function decisionText({ decision }: Explanation): string {
  switch (decision.kind) {
    case 'retry':
      return `retry at ${decision.dueAt.toISOString()}, ${decision.attemptsRemaining} attempts remaining`;
    case 'queue':
      return `queued, charged at ${decision.dueAt.toISOString()}`;
    case 'charge':
      return 'charged now, in the request';
    case 'look':
      return `looks whether it was paid already, then: ${decision.then}`;
    case 'fail':
    case 'failed':
      return `failed, ${decision.endReason}`;
    case 'cancelled':
      return `cancelled, ${decision.endReason}`;
    case 'block':
    case 'blocked':
      return 'blocked: this card is never charged for this debt';
    case 'authenticate':
    case 'action_required':
      return 'action_required: the customer must authenticate';
    case 'account_refused':
      return 'queued: no decline; charging for this client pauses, probed every 5 minutes';
    case 'call_repeated':
      return 'queued: no decline; the same call again in seconds, and no attempt is counted';
    case 'succeeded':
    case 'fallback':
    case 'replace_payment':
    case 'await_bank':
    case 'reconcile':
      return decision.kind;
  }
}

function adviceText({ advice, route }: Explanation): string[] {
  if (advice === null) return ['advice    none yet: the charge that comes next decides'];
  const { recommendedAction, recommendedActionDetail, willRetry, final } = advice;
  const text = customerText(route, final);
  const detail = recommendedActionDetail === null ? '' : `, ${recommendedActionDetail}`;
  return [
    `advice    ${recommendedAction}${detail}; willRetry ${willRetry}, final ${final}`,
    `          ${advice.recommendedActionReason}`,
    `customer  ${text === '' ? '(say nothing)' : text}`,
  ];
}

function instants(title: string, all: Instant[], zone: string): string[] {
  if (all.length === 0) return [];
  return [
    title,
    ...all.map(({ number, at, rule }) => `  ${number}  ${at.toISOString()}  ${local(at, zone)}  ${rule}`),
    '',
  ];
}

/** What the customer's clocks show: `Mon 2026-06-08 10:00`. */
function local(at: Date, zone: string): string {
  const wall = new Date(wallAt(at.getTime(), zone));
  return `${wall.toUTCString().slice(0, 3)} ${wall.toISOString().slice(0, 16).replace('T', ' ')}`;
}

function endText({ end }: Explanation): string[] {
  if (end === null || !('endReason' in end)) return [];
  return [`after the last: ${end.kind}, ${end.endReason}  (${end.rule.name})`];
}

try {
  const { values } = parseArgs({ options: OPTIONS });
  const facts = values.help === true ? null : readFacts(values);
  console.log(facts === null ? HELP : printed(facts, explainDecision(facts)));
} catch (error) {
  const told = error instanceof BadArgument || (error instanceof TypeError && 'code' in error);
  if (!told) throw error;
  console.error(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
