const COUNT_MAX = 20;
const NAME = /^[A-Za-z0-9-]{1,100}$/;
// Visible ASCII with spaces and tabs inside: no line break can begin a header of its own.
const VALUE = /^[!-~](?:[\t -~]{0,998}[!-~])?$/;

// What belongs to the message or to the connection, and the names that carry our own word.
const RESERVED = new Set([
  'accept-encoding',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'http2-settings',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
]);
const RESERVED_PREFIXES = ['proxy-', 'webhook-', 'x-revtain-'];

export const STATIC_HEADERS_ACCEPTED =
  `an object of at most ${COUNT_MAX} headers: names of letters, digits and dashes (to 100), values of visible ASCII (to 1000); ` +
  `not ${[...RESERVED].join(', ')}, ${RESERVED_PREFIXES.map((prefix) => `${prefix}*`).join(', ')}, and no name twice`;

/** True for headers that a merchant may have sent with each delivery. */
export function areStaticHeaders(value: unknown): value is Record<string, string> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const pairs = Object.entries(value as Record<string, unknown>);
  const names = new Set(pairs.map(([name]) => name.toLowerCase()));
  return (
    pairs.length <= COUNT_MAX && names.size === pairs.length && pairs.every(([name, text]) => isHeader(name, text))
  );
}

function isHeader(name: string, value: unknown): boolean {
  const lower = name.toLowerCase();
  if (!NAME.test(name) || RESERVED.has(lower) || RESERVED_PREFIXES.some((prefix) => lower.startsWith(prefix)))
    return false;
  return typeof value === 'string' && VALUE.test(value);
}
