import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { EndingService } from './ending.service.js';
import { KeyedCommand } from './keyed-command.js';
import { PulseService } from './pulse.service.js';
import { RecoveriesController } from './recoveries.controller.js';
import { RecoveryHold } from './recovery-hold.js';
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
      providers: [EndingService, KeyedCommand, PulseService, RecoveryHold, RecoveryReader, SteeringService],
      exports: [KeyedCommand, SteeringService],
    };
  }
}
