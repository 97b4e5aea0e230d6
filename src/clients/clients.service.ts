import { Injectable } from '@nestjs/common';

import { connectedAccountOf, NO_ACCESS } from '../gateways/gateway.js';
import { Clock } from '../platform/clock.js';
import type { Config } from '../platform/config.js';
import { Vault } from '../platform/crypto/vault.js';
import { Orm } from '../platform/db/orm.js';
import { badField, notFound } from '../platform/http/domain-error.js';
import { Ids } from '../platform/ids.js';
import { PublicUrl } from '../platform/public-url.js';
import { Random } from '../platform/random.js';
import { type AlertTargets, sealTargets, type TargetFields } from './alert-targets.js';
import { ApiKeysService } from './api-keys.service.js';
import { channelWarnings } from './channel-warnings.js';
import { checkClientUrls, checkGateway, checkOwnPolicy, natureOf } from './client-check.js';
import { ClientDirectory } from './client-directory.service.js';
import type { CreateClientBody, GatewayBody, PageQuery, UpdateClientBody } from './client.dto.js';
import { ClientEntity } from './client.entity.js';
import { clientNow, type ClientSettings } from './client-settings.js';
import { clientView, type ClientView, connectorUrls } from './client-view.js';
import { GatewayWebhookSecrets } from './gateway-webhook-secrets.service.js';
import { FirstEndpoint, TestAccounts } from './ports.js';
import { gatewayKeyIdentity, gatewayWebhookSecretIdentity } from './sealing.js';

/** What the accounts depend on of the server's settings. */
export abstract class ClientsConfig implements Pick<
  Config,
  | 'stripeApiBase'
  | 'stripeConnect'
  | 'testGateway'
  | 'egressPorts'
  | 'allowLoopback'
  | 'smtpUrl'
  | 'alertFrom'
  | 'twilio'
> {
  abstract readonly stripeApiBase: string | null;
  abstract readonly stripeConnect: Config['stripeConnect'];
  abstract readonly testGateway: boolean;
  abstract readonly egressPorts: readonly number[];
  abstract readonly allowLoopback: boolean;
  abstract readonly smtpUrl: string | null;
  abstract readonly alertFrom: string | null;
  abstract readonly twilio: Config['twilio'];
}

/** What a new account shows once. */
export type CreatedClient = ClientView & {
  apiKey: string;
  publishableKey: string;
  webhookSigningSecret: string | null;
  alertWebhookSigningSecret?: string;
  connectorUrls: Record<string, string>;
};

/** Merchant accounts: made by the operator, changed by the operator or by themselves. */
@Injectable()
export class ClientsService {
  constructor(
    private readonly orm: Orm,
    private readonly keys: ApiKeysService,
    private readonly directory: ClientDirectory,
    private readonly vault: Vault,
    private readonly testAccounts: TestAccounts,
    private readonly firstEndpoint: FirstEndpoint,
    private readonly publicUrl: PublicUrl,
    private readonly ids: Ids,
    private readonly clock: Clock,
    private readonly config: ClientsConfig,
    private readonly random: Random,
    private readonly webhookSecrets: GatewayWebhookSecrets,
  ) {}

  /** Makes an account with its keys and first endpoint, whole or not at all. @throws {DomainError} 400. */
  async create(body: CreateClientBody): Promise<CreatedClient> {
    this.check(body);
    const id = this.ids.prefixed('cli');
    const targets = this.targetsOf(id, body, null);
    const client = { ...this.newClient(id, body, await this.gatewayKey(id, body.gateway)), ...targets.columns };
    const made = await this.orm.tenant(id, async (manager, tx) => {
      await manager.insert(ClientEntity, client);
      const secret = await this.keys.make(manager, id, 'secret', null);
      const publishable = await this.keys.make(manager, id, 'publishable', null);
      const endpoint = body.webhookUrl === undefined ? null : await this.firstEndpoint.create(tx, id, body.webhookUrl);
      // Read back, for the defaults that the table gave.
      const stored = await manager.findOneByOrFail(ClientEntity, { id });
      return { stored, secret, publishable, endpoint };
    });
    return {
      ...this.view(made.stored),
      apiKey: made.secret.text,
      publishableKey: made.publishable.text,
      webhookSigningSecret: made.endpoint?.secret ?? null,
      ...onceShown(targets.webhookSecret),
      connectorUrls: connectorUrls(this.publicUrl.current(), id),
    };
  }

  /** All accounts, newest first. @throws {DomainError} 400 `invalid_cursor`. */
  async list({ after, limit }: PageQuery): Promise<{ data: ClientView[]; hasMore: boolean; nextAfter: string | null }> {
    const rows = await this.orm.worker(async (manager) => {
      if (after !== undefined && !(await manager.existsBy(ClientEntity, { id: after }))) {
        throw badField('after', 'invalid_cursor', 'is no id of this list', 'nextAfter of the page before');
      }
      const query = manager
        .createQueryBuilder(ClientEntity, 'client')
        .orderBy('client.id', 'DESC')
        .take(limit + 1);
      if (after !== undefined) query.where('client.id < :after', { after });
      return query.getMany();
    });
    const data = rows.slice(0, limit).map((row) => this.view(row));
    const hasMore = rows.length > limit;
    return { data, hasMore, nextAfter: hasMore ? (data.at(-1)?.clientId ?? null) : null };
  }

  /** @throws {DomainError} 404. */
  async read(id: string): Promise<ClientView> {
    const client = await this.orm.tenant(id, (manager) => manager.findOneBy(ClientEntity, { id }));
    if (!client) throw notFound('There is no such client.');
    return this.view(client);
  }

  /** Changes what the body names. @throws {DomainError} 400, 404. */
  async update(id: string, body: UpdateClientBody): Promise<ClientView & { alertWebhookSigningSecret?: string }> {
    const { gateway } = body;
    const given = givenSettings(body);
    if (Object.values(body).every((value) => value === undefined)) {
      throw badField('body', 'missing_field', 'names nothing to change', 'at least one field of the client');
    }
    checkOwnPolicy(body);
    checkClientUrls(body, { ports: this.config.egressPorts, allowLoopback: this.config.allowLoopback });
    const updated = await this.orm.tenant(id, async (manager, tx) => {
      const client = await manager.findOne(ClientEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
      if (!client) throw notFound('There is no such client.');
      const targets = this.targetsOf(id, body, client);
      const changes = {
        ...given,
        ...targets.columns,
        ...(gateway && this.newGatewayKeys(client, gateway)),
        updatedAt: this.clock.now(),
      };
      await manager.update(ClientEntity, { id }, changes);
      if (gateway?.webhookSecret !== undefined) await this.webhookSecrets.keepEarlier(tx, client);
      return { ...this.view({ ...client, ...changes }), ...onceShown(targets.webhookSecret) };
    });
    this.directory.forget(id);
    this.webhookSecrets.forget(id);
    return updated;
  }

  private check(body: CreateClientBody): void {
    checkGateway(body.gateway, this.config.stripeConnect === null);
    if (body.gateway.provider === 'test' && !this.config.testGateway) {
      throw badField('gateway.provider', 'invalid_field', 'is not served here', 'stripe (REVTAIN_TEST_GATEWAY is off)');
    }
    checkOwnPolicy(body);
    checkClientUrls(body, { ports: this.config.egressPorts, allowLoopback: this.config.allowLoopback });
  }

  private async gatewayKey(clientId: string, { provider, secretKey }: GatewayBody): Promise<string> {
    if (provider === 'test') return (await this.testAccounts.createAccount(clientId)).secretKey;
    return secretKey ?? NO_ACCESS;
  }

  private newClient(id: string, body: CreateClientBody, gatewayKey: string) {
    const { gateway } = body;
    const now = this.clock.now();
    return {
      ...givenSettings(body),
      id,
      name: body.name,
      gatewayProvider: gateway.provider,
      gatewayKeySealed: this.vault.seal(gatewayKey, gatewayKeyIdentity(id)),
      gatewayWebhookSecretSealed: this.sealWebhookSecret(id, gateway),
      ...natureOf({ ...gateway, secretKey: gateway.secretKey ?? this.config.stripeConnect?.secretKey }, this.config),
      createdAt: now,
      updatedAt: now,
    };
  }

  /** A key of the same gateway and mode: money that moved elsewhere could no longer be read with another. */
  private newGatewayKeys(client: ClientEntity, gateway: GatewayBody): Partial<ClientEntity> {
    checkGateway(gateway, gateway.webhookSecret === undefined);
    if (gateway.provider !== client.gatewayProvider) {
      throw badField('gateway.provider', 'invalid_field', 'can not be changed', client.gatewayProvider);
    }
    const webhookSecret =
      gateway.webhookSecret === undefined
        ? {}
        : { gatewayWebhookSecretSealed: this.sealWebhookSecret(client.id, gateway) };
    if (gateway.secretKey === undefined) return webhookSecret;
    const kept = this.vault.open(client.gatewayKeySealed, gatewayKeyIdentity(client.id));
    if (connectedAccountOf({ secretKey: kept }) !== null) {
      const accepted = 'nothing while the account is connected: disconnect it first';
      throw badField('gateway.secretKey', 'invalid_field', 'is not taken of a connected client', accepted);
    }
    if (natureOf(gateway, this.config).livemode !== client.livemode) {
      const accepted = client.livemode ? 'a live key: sk_live_… or rk_live_…' : 'a test key: sk_test_… or rk_test_…';
      throw badField('gateway.secretKey', 'invalid_field', 'is of the other mode', accepted);
    }
    return {
      gatewayKeySealed: this.vault.seal(gateway.secretKey, gatewayKeyIdentity(client.id)),
      ...webhookSecret,
      // The next charge tries the new key at once, where the old one had been refused.
      ...(client.chargingPausedSince && { chargingProbeAt: clientNow(client, this.clock.now()) }),
    };
  }

  private sealWebhookSecret(id: string, { webhookSecret }: GatewayBody): Buffer | null {
    return webhookSecret === undefined ? null : this.vault.seal(webhookSecret, gatewayWebhookSecretIdentity(id));
  }

  private targetsOf(id: string, body: TargetFields, before: ClientEntity | null) {
    return sealTargets(id, body, before, { vault: this.vault, random: this.random });
  }

  private view(client: ClientSettings & AlertTargets): ClientView {
    return clientView(client, channelWarnings(client, this.config));
  }
}

const NO_COLUMNS = ['gateway', 'webhookUrl', 'alertSlackUrl', 'alertPagerDutyKey'];

/** The columns that a body names: neither the gateway nor the first endpoint is one, and what is sealed has another. */
function givenSettings(body: CreateClientBody | UpdateClientBody): Partial<ClientEntity> {
  const isColumn = ([name, value]: [string, unknown]) => value !== undefined && !NO_COLUMNS.includes(name);
  return Object.fromEntries(Object.entries(body).filter(isColumn));
}

function onceShown(secret: string | null): { alertWebhookSigningSecret?: string } {
  return secret === null ? {} : { alertWebhookSigningSecret: secret };
}
