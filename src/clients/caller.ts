import type { ClientSettings } from './client-settings.js';

export const KEY_KINDS = ['secret', 'publishable', 'effects'] as const;
/** `secret` may do all, `publishable` reads paywall status only, `effects` posts receipts and results only. */
export type KeyKind = (typeof KEY_KINDS)[number];

/** Who calls, as the key said. The settings were read with the key, so they are as fresh as the request. */
export interface Caller {
  clientId: string;
  keyId: string;
  kind: KeyKind;
  settings: ClientSettings;
}
