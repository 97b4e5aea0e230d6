import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';

import { AlertsModule } from './alerts/alerts.module.js';
import { AuditModule } from './audit/audit.module.js';
import { CardUpdateModule } from './card-update/card-update.module.js';
import { ClientDirectoryModule } from './clients/client-directory.module.js';
import { ClientsModule } from './clients/clients.module.js';
import { TestAccounts } from './clients/ports.js';
import { ConnectorsModule } from './connectors/connectors.module.js';
import { DocsPageModule } from './docs-page/docs-page.module.js';
import { EngineModule } from './engine/engine.module.js';
import { EngineSettings } from './engine/work-contexts.js';
import { ExecuteModule } from './execute/execute.module.js';
import { GatewaysModule } from './gateways/gateways.module.js';
import { HealthModule } from './health/health.module.js';
import { ReadinessSettings } from './health/readiness.service.js';
import { LookupModule } from './lookup/lookup.controller.js';
import { NoTestGateway, type OwnTestGateway } from './own-test-gateway.js';
import type { Config } from './platform/config.js';
import { RecoveriesModule } from './recoveries/recoveries.module.js';
import { SandboxGateway } from './sandbox/sandbox-gateway.js';
import { SandboxModule } from './sandbox/sandbox.module.js';
import { VerifyModule } from './verify/verify.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';

type Rooms = NonNullable<ModuleMetadata['imports']>;

/** What the test gateway gives to other rooms, by the ports they name it with. */
@Module({})
export class TestGatewayPorts {
  static register(testGateway: OwnTestGateway | null): DynamicModule {
    const admin = testGateway?.admin ?? new NoTestGateway();
    const ports = [
      { provide: TestAccounts, useValue: admin },
      { provide: SandboxGateway, useValue: admin },
    ];
    return { module: TestGatewayPorts, providers: ports, exports: ports };
  }
}

/** Every room, in the order a payment passes them. Each is registered once, so that its parts exist once. */
export function roomsOf(config: Config, testGateway: OwnTestGateway | null): Rooms {
  const ports = TestGatewayPorts.register(testGateway);
  const gateways = GatewaysModule.register(config);
  const webhooks = WebhooksModule.register(config);
  const shared: Rooms = [ClientDirectoryModule, gateways, webhooks];
  const engine = EngineModule.register(new EngineSettings(config.gatewayTimeoutMs, config.inFlightMax), shared);
  const execute = ExecuteModule.register([...shared, engine]);
  const recoveries = RecoveriesModule.register([...shared, engine, execute]);
  const cardUpdates = CardUpdateModule.register(config, [...shared, engine, execute, recoveries]);
  return [
    ScheduleModule.forRoot(),
    ClientsModule.register(config, [ports, webhooks]),
    execute,
    engine,
    gateways,
    webhooks,
    recoveries,
    cardUpdates,
    ConnectorsModule.register([...shared, engine, execute, recoveries, cardUpdates]),
    SandboxModule.register([...shared, engine, ports]),
    AlertsModule.register(config, [webhooks]),
    LookupModule,
    AuditModule,
    VerifyModule,
    HealthModule.register(new ReadinessSettings(config.testGateway ? 'test' : 'stripe'), [gateways]),
    DocsPageModule,
  ];
}
