import { type DynamicModule, Module, type ModuleMetadata } from '@nestjs/common';

import { Acceptance } from './acceptance.js';
import { CardLedger } from './card-ledger.js';
import { CardStops } from './card-stops.js';
import { Charging } from './charging.js';
import { ChargingPause } from './charging-pause.js';
import { Closing } from './closing.js';
import { DebtHistory } from './debt-history.js';
import { DebtReader } from './debt-reader.js';
import { EndedCharges } from './ended-charges.js';
import { Endings } from './endings.js';
import { Engine } from './engine.js';
import { EventComposer } from './event-composer.js';
import { FallbackTokens } from './fallback-tokens.js';
import { LeaseKeeper } from './lease-keeper.js';
import { Looking } from './looking.js';
import { Reconciliation } from './reconciliation.js';
import { RecoveryFinder } from './recovery-finder.js';
import { RecoveryStore } from './recovery-store.js';
import { RecoveryWriter } from './recovery-writer.js';
import { Settlement } from './settlement.js';
import { Simulation } from './simulation.js';
import { Sweeps } from './sweeps.js';
import { EngineSettings, WorkContexts } from './work-contexts.js';
import { Worker } from './worker.js';

const PARTS = [
  Acceptance,
  CardLedger,
  CardStops,
  Charging,
  ChargingPause,
  Closing,
  DebtHistory,
  DebtReader,
  Engine,
  EventComposer,
  EndedCharges,
  Endings,
  FallbackTokens,
  LeaseKeeper,
  Looking,
  Reconciliation,
  RecoveryFinder,
  RecoveryStore,
  RecoveryWriter,
  Settlement,
  Simulation,
  Sweeps,
  WorkContexts,
  Worker,
];

/** The durable loop, and every part of working one recovery that commands of the API share with it. */
@Module({})
export class EngineModule {
  static register(settings: EngineSettings, imports: NonNullable<ModuleMetadata['imports']>): DynamicModule {
    const provided = { provide: EngineSettings, useValue: settings };
    return { module: EngineModule, imports, providers: [...PARTS, provided], exports: PARTS };
  }
}
