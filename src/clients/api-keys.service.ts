import { Injectable } from '@nestjs/common';
import { type EntityManager, IsNull } from 'typeorm';

import { Clock } from '../platform/clock.js';
import { Orm } from '../platform/db/orm.js';
import { notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import { Random } from '../platform/random.js';
import { makeApiKey } from './api-key.js';
import { ApiKeyEntity } from './api-key.entity.js';
import type { KeyKind } from './caller.js';
import { ClientDirectory } from './client-directory.service.js';
import { ClientEntity } from './client.entity.js';
import { keyView, type KeyView } from './client-view.js';

/** A client's API keys: several at once, so that one can be replaced without a break. */
@Injectable()
export class ApiKeysService {
  constructor(
    private readonly orm: Orm,
    private readonly ids: Ids,
    private readonly random: Random,
    private readonly clock: Clock,
    private readonly directory: ClientDirectory,
  ) {}

  /** Makes a key in the caller's transaction. The text is shown once. */
  async make(manager: EntityManager, clientId: string, kind: KeyKind, name: string | null) {
    const { text, hash, hint } = makeApiKey(kind, this.random);
    const key = manager.create(ApiKeyEntity, {
      clientId,
      id: this.ids.prefixed('key'),
      kind,
      name,
      hash,
      hint,
      createdAt: this.clock.now(),
      lastUsedAt: null,
      revokedAt: null,
    });
    await manager.insert(ApiKeyEntity, key);
    return { key, text };
  }

  /** @throws {DomainError} 404 for an unknown client. */
  async create(clientId: string, kind: KeyKind, name: string | null): Promise<KeyView & { apiKey: string }> {
    return this.orm.tenant(clientId, async (manager) => {
      await demandClient(manager, clientId);
      const { key, text } = await this.make(manager, clientId, kind, name);
      return { ...keyView(key), apiKey: text };
    });
  }

  /** All keys of the client, revoked ones too, newest first. @throws {DomainError} 404 for an unknown client. */
  async list(clientId: string): Promise<{ data: KeyView[]; hasMore: false; nextAfter: null }> {
    const keys = await this.orm.tenant(clientId, async (manager) => {
      await demandClient(manager, clientId);
      return manager.find(ApiKeyEntity, { where: { clientId }, order: { id: 'DESC' } });
    });
    return { data: keys.map(keyView), hasMore: false, nextAfter: null };
  }

  /** For good, and within a second on every process, in this one at once; a repeat changes nothing. @throws {DomainError} 404 for an unknown key. */
  async revoke(clientId: string, keyId: string): Promise<void> {
    await this.orm.tenant(clientId, async (manager) => {
      const known = await manager.existsBy(ApiKeyEntity, { clientId, id: keyId });
      if (!known) throw notFound('There is no such key.');
      const unrevoked = { clientId, id: keyId, revokedAt: IsNull() };
      await manager.update(ApiKeyEntity, unrevoked, { revokedAt: this.clock.now() });
    });
    this.directory.forget(clientId);
  }
}

async function demandClient(manager: EntityManager, id: string): Promise<void> {
  if (!(await manager.existsBy(ClientEntity, { id }))) throw notFound('There is no such client.');
}
