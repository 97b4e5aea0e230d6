import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { KeyedCommand } from './keyed-command.js';
import { PulseService } from './pulse.service.js';
import { RecoveriesController } from './recoveries.controller.js';
import { RecoveryReader } from './recovery-reader.js';
import { SteeringService } from './steering.service.js';

/** Reading recoveries, and steering them by hand. */
@Module({})
export class RecoveriesModule {
  static register(imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: RecoveriesModule,
      imports,
      controllers: [RecoveriesController],
      providers: [KeyedCommand, PulseService, RecoveryReader, SteeringService],
      exports: [KeyedCommand, SteeringService],
    };
  }
}
