import type { Endpoint } from './endpoint.repository.js';

/** An endpoint as its merchant sees it: no secret, and its headers by name only. */
export interface EndpointView {
  id: string;
  url: string;
  events: string[] | null;
  description: string | null;
  enabled: boolean;
  /** `gone`: it answered 410. `failing`: nothing but failures for five days. `by_request`: the merchant's own word. */
  disabledReason: string | null;
  disabledAt: string | null;
  headers: Record<string, string>;
  effectTracking: string;
  consolidate: boolean;
  /** While it lies ahead, the secret before signs as well. */
  previousSecretUntil: string | null;
  failingSince: string | null;
  /** Nothing is sent before: the endpoint asked for patience, or failed so often that it is only probed. */
  pausedUntil: string | null;
  createdAt: string;
  updatedAt: string;
}

const SEALED = '[sealed]';

export function endpointView(endpoint: Endpoint, headerNames: readonly string[], now: Date): EndpointView {
  const { previousSecretUntil, failingSince } = endpoint;
  const overlaps = previousSecretUntil !== null && previousSecretUntil > now;
  return {
    id: endpoint.id,
    url: endpoint.url,
    events: endpoint.events,
    description: endpoint.description,
    enabled: endpoint.enabled,
    disabledReason: endpoint.disabledReason,
    disabledAt: endpoint.disabledAt?.toISOString() ?? null,
    headers: Object.fromEntries(headerNames.map((name) => [name, SEALED])),
    effectTracking: endpoint.effectTracking,
    consolidate: endpoint.consolidate,
    previousSecretUntil: overlaps ? previousSecretUntil.toISOString() : null,
    failingSince: failingSince?.toISOString() ?? null,
    pausedUntil: pausedUntil(endpoint, now)?.toISOString() ?? null,
    createdAt: endpoint.createdAt.toISOString(),
    updatedAt: endpoint.updatedAt.toISOString(),
  };
}

function pausedUntil({ throttledUntil, breakerUntil }: Endpoint, now: Date): Date | null {
  const ms = Math.max(throttledUntil?.getTime() ?? 0, breakerUntil?.getTime() ?? 0);
  return ms > now.getTime() ? new Date(ms) : null;
}
