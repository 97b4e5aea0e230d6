import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { HealthController } from './health.controller.js';
import { Readiness, ReadinessSettings } from './readiness.service.js';

/** For probes: is it alive, can it take work. */
@Module({})
export class HealthModule {
  static register(settings: ReadinessSettings, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: HealthModule,
      imports,
      controllers: [HealthController],
      providers: [Readiness, { provide: ReadinessSettings, useValue: settings }],
      exports: [Readiness],
    };
  }
}
