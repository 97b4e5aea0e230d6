import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { PlatformModule, type PlatformParts } from './platform/platform.module.js';

/** The list of rooms, in the order a payment passes them: `rooms.ts`. */
@Module({})
export class AppModule {
  static register(parts: PlatformParts, rooms: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    return { module: AppModule, imports: [PlatformModule.register(parts), ...rooms] };
  }
}
