import { type DynamicModule, Global, Module } from '@nestjs/common';

import { BackgroundWorks } from './background-work.js';
import { Clock } from './clock.js';
import { Vault } from './crypto/vault.js';
import { Database } from './db/database.js';
import { Orm } from './db/orm.js';
import { Failpoints } from './failpoints/failpoints.js';
import { Ids } from './ids.js';
import { Log } from './logging/log.js';
import { PublicUrl } from './public-url.js';
import { Random } from './random.js';

/** What the boot has made before the application: everything a room may ask for without importing anything. */
export interface PlatformParts {
  clock: Clock;
  random: Random;
  ids: Ids;
  log: Log;
  vault: Vault;
  database: Database;
  orm: Orm;
  publicUrl: PublicUrl;
  /** Only in a process that was started for a drill. */
  failpoints?: Failpoints;
}

@Global()
@Module({})
export class PlatformModule {
  static register(parts: PlatformParts): DynamicModule {
    const providers = [
      { provide: Clock, useValue: parts.clock },
      { provide: Random, useValue: parts.random },
      { provide: Ids, useValue: parts.ids },
      { provide: Log, useValue: parts.log },
      { provide: Vault, useValue: parts.vault },
      { provide: Database, useValue: parts.database },
      { provide: Orm, useValue: parts.orm },
      { provide: PublicUrl, useValue: parts.publicUrl },
      BackgroundWorks,
      ...(parts.failpoints ? [{ provide: Failpoints, useValue: parts.failpoints }] : []),
    ];
    return { module: PlatformModule, providers, exports: providers };
  }
}
