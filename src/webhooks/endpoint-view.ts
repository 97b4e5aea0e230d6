import type { Endpoint } from './endpoint.repository.js';

/** An endpoint as its merchant sees it: no secret, and its headers by name only. */
export interface EndpointView {
  id: string;
  url: string;
  events: string[] | null;
  description: string | null;
  enabled: boolean;
  /** `gone`: it answered 410. `by_request`: the merchant's own word. */
  disabledReason: string | null;
  headers: Record<string, string>;
  effectTracking: string;
  consolidate: boolean;
  /** While it lies ahead, the secret before signs as well. */
  previousSecretUntil: string | null;
  failingSince: string | null;
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
    headers: Object.fromEntries(headerNames.map((name) => [name, SEALED])),
    effectTracking: endpoint.effectTracking,
    consolidate: endpoint.consolidate,
    previousSecretUntil: overlaps ? previousSecretUntil.toISOString() : null,
    failingSince: failingSince?.toISOString() ?? null,
    createdAt: endpoint.createdAt.toISOString(),
    updatedAt: endpoint.updatedAt.toISOString(),
  };
}
