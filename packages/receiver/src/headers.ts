/** Fetch's `Headers`, and whatever else is asked by name. */
export interface HeadersLike {
  get(name: string): string | null | undefined;
}

/** Headers as Node, Express, Fastify, Nest and Fetch hand them over; names in any case. */
export type HeadersInput = HeadersLike | Readonly<Record<string, string | readonly string[] | undefined>>;

/** One header's text, blanks around it cut; null when it is missing, empty, or came more than once. */
export function readHeader(headers: unknown, name: string): string | null {
  if (typeof headers !== 'object' || headers === null) return null;
  const text = isHeadersLike(headers) ? headers.get(name) : fieldOf(headers, name);
  const only: unknown = Array.isArray(text) && text.length === 1 ? text[0] : text;
  if (typeof only !== 'string') return null;
  const trimmed = only.trim();
  return trimmed === '' ? null : trimmed;
}

function isHeadersLike(headers: object): headers is HeadersLike {
  return 'get' in headers && typeof headers.get === 'function';
}

function fieldOf(headers: object, name: string): unknown {
  const found = Object.entries(headers).filter(([key]) => key.toLowerCase() === name);
  return found.length === 1 ? found[0]?.[1] : null;
}
