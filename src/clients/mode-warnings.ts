import type { ClientSettings } from './client-settings.js';

/** What a client's mode does not do: it is about connectors, and somebody who sets `observe` may expect more of it. */
export function modeWarnings({ mode }: Pick<ClientSettings, 'mode'>): string[] {
  if (mode === 'recover') return [];
  return [`mode: ${mode} has no effect on execute yet: it charges as with recover. It is for connectors only`];
}
