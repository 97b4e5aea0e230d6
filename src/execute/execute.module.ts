import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { BatchService } from './batch.service.js';
import { ExecuteController } from './execute.controller.js';
import { ExecuteService } from './execute.service.js';
import { Guards } from './guards.js';
import { Idempotency } from './idempotency.js';
import { Intake } from './intake.service.js';
import { PlanController } from './plan.controller.js';

/** `POST /execute`: check, deduplicate, store, hand to the engine, answer. */
@Module({})
export class ExecuteModule {
  static register(imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return {
      module: ExecuteModule,
      imports,
      controllers: [ExecuteController, PlanController],
      providers: [BatchService, ExecuteService, Guards, Idempotency, Intake],
      exports: [ExecuteService, Idempotency],
    };
  }
}
