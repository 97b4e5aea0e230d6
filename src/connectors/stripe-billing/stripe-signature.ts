import { createHmac, timingSafeEqual } from 'node:crypto';

import type { InboundRequest, Proof } from '../billing-platform.js';

/** Both ways: an old delivery is a replay, and one from the future was not signed now either. */
const TOLERANCE_SECONDS = 300;
const HEADER = 'Stripe-Signature';
const ACCEPTED = 'the raw body as Stripe sent it, signed with a secret of this client (PATCH gateway.webhookSecret)';

/** A hint is not worth more: anybody can send a body that is long, or so deep that writing it again makes it huge. */
const HINT_BYTES_MAX = 64 * 1024;
const HINT_DEPTH_MAX = 32;
const [BRACKETS_OPEN, BRACKETS_CLOSE] = [Buffer.from('[{'), Buffer.from(']}')];

interface SignatureHeader {
  timestamp: number;
  signatures: Buffer[];
}

/**
 * Proves a delivery by its `Stripe-Signature`: HMAC-SHA256 over `t.body` with any of the secrets, several of which live
 * while one is rolled. A refusal says which of the usual mistakes it may be.
 * @see https://docs.stripe.com/webhooks/signature
 */
export function proveStripe({ bytes, headers }: InboundRequest, secrets: readonly string[], now: Date): Proof {
  if (bytes.length === 0) {
    return refused('body', 'the body is empty: something before this server has consumed it (a set-up error)');
  }
  if (secrets.length === 0) return refused(HEADER, 'this client has no webhook secret yet, so nothing can be proven');
  const given = headers[HEADER.toLowerCase()];
  if (typeof given !== 'string') return refused(HEADER, 'is missing');
  const header = parseHeader(given);
  if (!header) return refused(HEADER, 'has no t=<seconds> with a v1=<hex> in it');
  if (!isSigned(bytes, header, secrets)) return refused(HEADER, whyUnsigned(bytes, header, secrets));
  const skew = Math.round(now.getTime() / 1000 - header.timestamp);
  if (Math.abs(skew) <= TOLERANCE_SECONDS) return { kind: 'genuine' };
  const which = skew > 0 ? 'in the past' : 'in the future';
  return refused(
    HEADER,
    `fits, but its timestamp is ${Math.abs(skew)} s ${which}: clock skew of this server, or a replay`,
  );
}

/** `v0` and whatever else Stripe may add are left out. */
function parseHeader(header: string): SignatureHeader | null {
  let timestamp = NaN;
  const signatures: Buffer[] = [];
  for (const part of header.split(',')) {
    const [name = '', value = ''] = part.trim().split('=', 2);
    if (name === 't' && /^\d{1,12}$/.test(value)) timestamp = Number(value);
    if (name === 'v1' && /^[0-9a-f]{64}$/.test(value)) signatures.push(Buffer.from(value, 'hex'));
  }
  return Number.isNaN(timestamp) || signatures.length === 0 ? null : { timestamp, signatures };
}

function isSigned(bytes: Buffer | string, { timestamp, signatures }: SignatureHeader, secrets: readonly string[]) {
  return secrets.some((secret) => {
    const mac = createHmac('sha256', secret).update(`${timestamp}.`).update(bytes).digest();
    return signatures.some((signature) => timingSafeEqual(signature, mac));
  });
}

const UNTOLD =
  "does not fit: this is another endpoint's secret (each endpoint has its own), or the body was re-encoded on its way";

/** A body that was parsed and written again is told from a wrong secret where writing it Stripe's way makes it fit. */
function whyUnsigned(bytes: Buffer, header: SignatureHeader, secrets: readonly string[]): string {
  if (bytes.length > HINT_BYTES_MAX || depthOf(bytes) > HINT_DEPTH_MAX) return UNTOLD;
  let parsed: unknown;
  try {
    parsed = JSON.parse(bytes.toString('utf8'));
  } catch {
    return 'does not fit, and the body is no JSON: it was changed on its way';
  }
  const asSent = [JSON.stringify(parsed, null, 2), JSON.stringify(parsed)];
  if (asSent.some((text) => isSigned(text, header, secrets))) {
    return 'fits the body before it was parsed and re-encoded: a proxy or a framework has changed the raw bytes';
  }
  return UNTOLD;
}

/** How deep a JSON text nests at most; brackets inside of its texts count too. */
function depthOf(bytes: Buffer): number {
  let [depth, deepest] = [0, 0];
  for (const byte of bytes) {
    if (BRACKETS_OPEN.includes(byte)) deepest = Math.max(deepest, (depth += 1));
    else if (BRACKETS_CLOSE.includes(byte)) depth -= 1;
  }
  return deepest;
}

function refused(field: string, detail: string): Proof {
  return { kind: 'refused', field, detail, accepted: ACCEPTED };
}
