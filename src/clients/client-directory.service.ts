import { Injectable } from '@nestjs/common';

import type { GatewayAccount } from '../gateways/gateway.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { Database } from '../platform/db/database.js';
import { notFound } from '../platform/http/domain-error.js';
import { Log } from '../platform/logging/log.js';
import { hashOfKey } from './api-key.js';
import type { Caller, KeyKind } from './caller.js';
import type { ClientSettings } from './client-settings.js';
import { gatewayKeyIdentity } from './sealing.js';
import { SETTINGS_SQL, settingsFromRow, type SettingsRow } from './settings-row.js';

/** A changed setting of a live client, and a revoked key, is seen by every process within this time. */
const FRESH_MS = 1_000;
const KEPT_MAX = 10_000;
const LAST_USED_EVERY_MS = 60_000;

type SealedRow = SettingsRow & { gatewayKeySealed: Buffer };
type KeyRow = SealedRow & { keyId: string; kind: KeyKind; lastUsedAt: Date | null };

interface KnownKey {
  clientId: string;
  keyId: string;
  kind: KeyKind;
  readAtMs: number;
}

interface Kept {
  settings: ClientSettings;
  gatewayKeySealed: Buffer;
  readAtMs: number;
}

/** Who a client is: for every request by its key, and for the engine by its id. */
@Injectable()
export class ClientDirectory {
  private readonly kept = new Map<string, Kept>();
  private readonly keys = new Map<string, KnownKey>();

  constructor(
    private readonly database: Database,
    private readonly vault: Vault,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Finds who holds a key, with the client's settings; null for an unknown or revoked one. A live client's key is asked for
   * once a second: another process's revocation is in force within that time, this one's at once.
   */
  async authenticate(rawKey: string): Promise<Caller | null> {
    const hash = hashOfKey(rawKey);
    if (!hash) return null;
    const name = hash.toString('base64');
    const known = this.keys.get(name);
    const kept = known && this.isFresh(known) ? this.fresh(known.clientId) : null;
    if (known && kept && !kept.settings.isTest) return callerOf(known, kept.settings);
    return this.findKey(name, hash);
  }

  private async findKey(name: string, hash: Buffer): Promise<Caller | null> {
    const { rows } = await this.database.query<KeyRow>({ role: 'worker' }, { ...FIND_KEY, values: [hash] });
    const [row] = rows;
    if (!row) {
      this.keys.delete(name);
      return null;
    }
    const { keyId, kind, lastUsedAt, ...client } = row;
    const { settings, readAtMs } = this.keep(client);
    if (this.keys.size >= KEPT_MAX) this.keys.clear();
    const known = { clientId: settings.id, keyId, kind, readAtMs };
    this.keys.set(name, known);
    this.noteUse(settings.id, keyId, lastUsedAt);
    return callerOf(known, settings);
  }

  /** The client's settings; never stale for a test client, whose clock moves. @throws {DomainError} 404. */
  async settings(clientId: string): Promise<ClientSettings> {
    const kept = this.fresh(clientId);
    if (kept && !kept.settings.isTest) return kept.settings;
    return (await this.read(clientId)).settings;
  }

  /** The account to charge on, with its key in clear text: for the call at hand only. @throws {DomainError} 404. */
  async gatewayAccount(clientId: string): Promise<GatewayAccount> {
    const { settings, gatewayKeySealed } = this.fresh(clientId) ?? (await this.read(clientId));
    const secretKey = this.vault.open(gatewayKeySealed, gatewayKeyIdentity(clientId));
    return { clientId, provider: settings.gatewayProvider, secretKey };
  }

  /** Called after a change by this process; others see it within a second. */
  forget(clientId: string): void {
    this.kept.delete(clientId);
    for (const [name, known] of this.keys) if (known.clientId === clientId) this.keys.delete(name);
  }

  private async read(clientId: string): Promise<Kept> {
    const scope = { role: 'tenant', clientId } as const;
    const { rows } = await this.database.query<SealedRow>(scope, { ...FIND_CLIENT, values: [clientId] });
    const [row] = rows;
    if (!row) throw notFound('There is no such client.');
    return this.keep(row);
  }

  private keep({ gatewayKeySealed, ...row }: SealedRow): Kept {
    const entry = { settings: settingsFromRow(row), gatewayKeySealed, readAtMs: this.clock.monotonicMs() };
    if (this.kept.size >= KEPT_MAX) this.kept.clear();
    this.kept.set(row.id, entry);
    return entry;
  }

  private fresh(clientId: string): Kept | null {
    const entry = this.kept.get(clientId);
    return entry && this.isFresh(entry) ? entry : null;
  }

  private isFresh({ readAtMs }: { readAtMs: number }): boolean {
    return this.clock.monotonicMs() - readAtMs <= FRESH_MS;
  }

  /** Written beside the request: whether a key was used must not slow its use, nor fail it. */
  private noteUse(clientId: string, keyId: string, lastUsedAt: Date | null): void {
    const now = this.clock.now();
    if (lastUsedAt && now.getTime() - lastUsedAt.getTime() < LAST_USED_EVERY_MS) return;
    const longAgo = new Date(now.getTime() - LAST_USED_EVERY_MS);
    this.database
      .query({ role: 'tenant', clientId }, { ...NOTE_USE, values: [clientId, keyId, now, longAgo] })
      .catch((error: unknown) => this.log.error('key.use_not_noted', { clientId, keyId }, error));
  }
}

function callerOf({ clientId, keyId, kind }: KnownKey, settings: ClientSettings): Caller {
  return { clientId, keyId, kind, settings };
}

const FIND_KEY = {
  name: 'find_key',
  text: `SELECT ${SETTINGS_SQL}, c.gateway_key_sealed AS "gatewayKeySealed",
                k.id AS "keyId", k.kind, k.last_used_at AS "lastUsedAt"
         FROM api_keys k JOIN clients c ON c.id = k.client_id
         WHERE k.hash = $1 AND k.revoked_at IS NULL`,
};

const FIND_CLIENT = {
  name: 'find_client',
  text: `SELECT ${SETTINGS_SQL}, c.gateway_key_sealed AS "gatewayKeySealed" FROM clients c WHERE c.id = $1`,
};

const NOTE_USE = {
  name: 'note_key_use',
  text: `UPDATE api_keys SET last_used_at = $3
         WHERE client_id = $1 AND id = $2 AND (last_used_at IS NULL OR last_used_at <= $4)`,
};
