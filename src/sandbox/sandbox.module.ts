import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { ClockWalker } from './clock-walker.js';
import { SandboxController } from './sandbox.controller.js';

/** Moving a test client's clock, and the test gateway's ledger. */
@Module({})
export class SandboxModule {
  /** @param imports what provides `SandboxGateway`, beside the rooms that the walk works with. */
  static register(imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return { module: SandboxModule, imports, controllers: [SandboxController], providers: [ClockWalker] };
  }
}
