import { readHeader, type HeadersInput } from './headers.js';
import { bytesOf, type RawBody } from './raw-body.js';
import { bodySignature, isSame, standardKey, standardSignature } from './signature.js';
import { systemNow } from './system-clock.js';

/**
 * Which headers must fit. `standard`: the dated `webhook-*` ones. `plain`: `X-Revtain-Signature`, which has no date, so that
 * a copy of an old delivery fits for ever. `auto`: `standard` when any `webhook-*` header came, else `plain`.
 */
export type Scheme = 'auto' | 'standard' | 'plain';

/** The endpoint's secret (`whsec_…`), or several while it is being rotated. */
export type Secrets = string | readonly string[];

export interface VerifyOptions {
  /** Default `auto`. */
  scheme?: Scheme | undefined;
  /** How far `webhook-timestamp` may lie from now, either way. Default 300. */
  toleranceSeconds?: number | undefined;
  /** The present; default the machine's time. */
  now?: Date | undefined;
}

export type RefusalReason =
  | 'body_not_raw'
  | 'no_secret'
  | 'bad_secret'
  | 'signature_missing'
  | 'header_malformed'
  | 'too_old'
  | 'too_new'
  | 'signature_mismatch'
  | 'unreadable';

export type Verification =
  | { kind: 'verified'; scheme: 'standard'; id: string; sentAt: Date; secretIndex: number }
  | { kind: 'verified'; scheme: 'plain'; secretIndex: number }
  | { kind: 'refused'; reason: RefusalReason; message: string };

const TOLERANCE_SECONDS = 300;
const STANDARD_HEADERS = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;

/**
 * Checks that a delivery is Revtain's own and unchanged. Never throws: whatever is wrong with it is the answer.
 * @param rawBody the body as it came, before anything parsed it
 */
export function verify(
  rawBody: RawBody,
  headers: HeadersInput,
  secrets: Secrets,
  options: VerifyOptions = {},
): Verification {
  try {
    return check(rawBody, headers, secrets, options);
  } catch (cause) {
    // A header object with a getter that throws, for one. It can not be checked, so it is refused.
    return refused(
      'unreadable',
      `the delivery could not be read: ${cause instanceof Error ? cause.message : 'unknown'}`,
    );
  }
}

function check(rawBody: unknown, headers: unknown, secrets: unknown, options: VerifyOptions): Verification {
  const body = bytesOf(rawBody);
  if (body === null) return refused('body_not_raw', 'the body is not raw: give the bytes (or the text) as they came');
  const known = secretsOf(secrets);
  if (known.length === 0) return refused('no_secret', 'no secret was given; is the setting that holds it empty?');

  const { scheme = 'auto' } = options;
  const isDated = STANDARD_HEADERS.some((name) => readHeader(headers, name) !== null);
  if (scheme === 'plain' || (scheme === 'auto' && !isDated)) return checkPlain(body, headers, known);
  return checkStandard(body, headers, known, options);
}

function checkPlain(body: Uint8Array, headers: unknown, secrets: readonly string[]): Verification {
  const given = readHeader(headers, 'x-revtain-signature');
  if (given === null) return refused('signature_missing', 'X-Revtain-Signature is missing');
  if (!/^[0-9a-f]{64}$/.test(given))
    return refused('header_malformed', 'X-Revtain-Signature is not 64 lowercase hex digits');
  const secretIndex = secrets.findIndex((secret) => isSame(given, bodySignature(body, secret)));
  return secretIndex < 0 ? mismatch('X-Revtain-Signature') : { kind: 'verified', scheme: 'plain', secretIndex };
}

function checkStandard(
  body: Uint8Array,
  headers: unknown,
  secrets: readonly string[],
  { toleranceSeconds = TOLERANCE_SECONDS, now = systemNow() }: VerifyOptions,
): Verification {
  const [id, timestamp, given] = STANDARD_HEADERS.map((name) => readHeader(headers, name));
  if (!id || !timestamp || !given) {
    const missing = STANDARD_HEADERS.filter((name) => readHeader(headers, name) === null);
    return refused('signature_missing', `missing or sent twice: ${missing.join(', ')}`);
  }
  // With a full stop in it, one signed text could be cut into id, time and body in two ways.
  if (id.includes('.')) return refused('header_malformed', 'webhook-id has a full stop in it');
  if (!/^\d{1,12}$/.test(timestamp)) return refused('header_malformed', 'webhook-timestamp is not in whole seconds');
  const ageSeconds = Math.floor(now.getTime() / 1_000) - Number(timestamp);
  if (!(ageSeconds <= toleranceSeconds)) return refused('too_old', `webhook-timestamp is ${ageSeconds} s old`);
  if (!(-ageSeconds <= toleranceSeconds)) return refused('too_new', `webhook-timestamp is ${-ageSeconds} s ahead`);

  const keys = secrets.map(standardKey);
  if (keys.every((key) => key === null))
    return refused('bad_secret', 'the secret is not whsec_ and base64, as it was shown');
  const signatures = given.split(' ');
  const secretIndex = keys.findIndex((key) => {
    if (key === null) return false;
    const expected = standardSignature(id, timestamp, body, key);
    return signatures.some((each) => isSame(each, expected));
  });
  if (secretIndex < 0) return mismatch('webhook-signature');
  return { kind: 'verified', scheme: 'standard', id, sentAt: new Date(Number(timestamp) * 1_000), secretIndex };
}

// A line break from a secrets file is a common guest.
function secretsOf(secrets: unknown): string[] {
  const list: unknown[] = Array.isArray(secrets) ? secrets : [secrets];
  return list
    .filter((secret): secret is string => typeof secret === 'string')
    .map((secret) => secret.trim())
    .filter((secret) => secret !== '');
}

function mismatch(header: string): Verification {
  return refused('signature_mismatch', `${header} does not fit: another secret signed it, or the body was changed`);
}

function refused(reason: RefusalReason, message: string): Verification {
  return { kind: 'refused', reason, message };
}
