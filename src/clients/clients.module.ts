import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { ApiKeysService } from './api-keys.service.js';
import { ClientDirectoryModule } from './client-directory.module.js';
import { ClientsController } from './clients.controller.js';
import { ClientsConfig, ClientsService } from './clients.service.js';

/** Merchant accounts, their keys and settings. */
@Module({})
export class ClientsModule {
  /** @param imports what provides `TestAccounts` and `FirstEndpoint`: the rooms that make such things. */
  static register(settings: ClientsConfig, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: ClientsModule,
      imports: [ClientDirectoryModule, ...imports],
      controllers: [ClientsController],
      providers: [ApiKeysService, ClientsService, { provide: ClientsConfig, useValue: settings }],
      exports: [ClientsService],
    };
  }
}
