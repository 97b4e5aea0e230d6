import { ClientDirectory } from '../../src/clients/client-directory.service.js';
import { Acceptance } from '../../src/engine/acceptance.js';
import { CardLedger } from '../../src/engine/card-ledger.js';
import { CardStops } from '../../src/engine/card-stops.js';
import { Charging } from '../../src/engine/charging.js';
import { ChargingPause } from '../../src/engine/charging-pause.js';
import { Closing } from '../../src/engine/closing.js';
import { DebtHistory } from '../../src/engine/debt-history.js';
import { DebtReader } from '../../src/engine/debt-reader.js';
import { EndedCharges } from '../../src/engine/ended-charges.js';
import { Endings } from '../../src/engine/endings.js';
import { Engine } from '../../src/engine/engine.js';
import { EventComposer } from '../../src/engine/event-composer.js';
import { FallbackTokens } from '../../src/engine/fallback-tokens.js';
import { LeaseKeeper } from '../../src/engine/lease-keeper.js';
import { Reconciliation } from '../../src/engine/reconciliation.js';
import { RecoveryStore } from '../../src/engine/recovery-store.js';
import { RecoveryWriter } from '../../src/engine/recovery-writer.js';
import { Settlement } from '../../src/engine/settlement.js';
import { Simulation } from '../../src/engine/simulation.js';
import { Worker } from '../../src/engine/worker.js';
import { EngineSettings, WorkContexts } from '../../src/engine/work-contexts.js';
import { ExecuteService } from '../../src/execute/execute.service.js';
import { Guards } from '../../src/execute/guards.js';
import { Idempotency } from '../../src/execute/idempotency.js';
import { Intake } from '../../src/execute/intake.service.js';
import { BackgroundWorks, type BackgroundWork } from '../../src/platform/background-work.js';
import type { Vault } from '../../src/platform/crypto/vault.js';
import { Ids } from '../../src/platform/ids.js';
import type { Log } from '../../src/platform/logging/log.js';
import { PublicUrl } from '../../src/platform/public-url.js';
import type { Random } from '../../src/platform/random.js';
import { RecoveryReader } from '../../src/recoveries/recovery-reader.js';
import { EndingService } from '../../src/recoveries/ending.service.js';
import { RecoveryHold } from '../../src/recoveries/recovery-hold.js';
import { SteeringService } from '../../src/recoveries/steering.service.js';
import { DeliveryStore } from '../../src/webhooks/delivery-store.js';
import { Dispatcher } from '../../src/webhooks/dispatcher.js';
import { EndpointVault } from '../../src/webhooks/endpoint-secrets.js';
import { Sender } from '../../src/webhooks/sender.js';
import { Connection } from './connection.js';
import type { Faults } from './faults.js';
import { GatewayPort, type GatewayHouse } from './gateway/gateway-port.js';
import type { MemoryDatabase } from './memory/memory-database.js';
import { LocalEgress, OneGateway, VirtualClock } from './ports.js';
import type { Receivers } from './receivers.js';
import type { Inhabitant, Timeline } from './timeline.js';

const GATEWAY_TIMEOUT_MS = 20_000;
/** So few that a world's debts crowd each other, and are claimed client by client then. */
const IN_FLIGHT_MAX = 4;

/** What all processes of a world share. */
export interface Surroundings {
  timeline: Timeline;
  store: MemoryDatabase;
  faults: Faults;
  house: GatewayHouse;
  receivers: Receivers;
  vault: Vault;
  random: Random;
  log: Log;
  /** When an engine would find something to claim, and a dispatcher something to send. */
  nextClaimMs: () => number;
  nextSendMs: () => number;
}

/** Which loop it runs beside its API. Real workers run both; apart, each polls only for what it can find. */
export type Role = 'engine' | 'dispatcher';

/** One process of the product: its own objects, wired by hand as the modules wire them, over simulated ports. */
export class Process implements Inhabitant {
  dead = false;
  stoppedUntilMs = 0;
  readonly execute: ExecuteService;
  readonly steering: SteeringService;
  readonly ending: EndingService;
  readonly directory: ClientDirectory;
  /** Names it in leases. */
  readonly owner: string;
  private readonly connection: Connection;
  private readonly loop: BackgroundWork;

  constructor(
    readonly role: Role,
    private readonly around: Surroundings,
  ) {
    const { timeline, store: memory, faults, house, receivers, vault, random, log } = around;
    timeline.enter(this);
    const clock = new VirtualClock(timeline);
    const ids = new Ids(clock, random);
    const database = new Connection(memory, this, timeline, faults);
    const store = new RecoveryStore(database, ids, clock);
    const ledger = new CardLedger(database);
    const stops = new CardStops(database);
    const pause = new ChargingPause(database);
    const history = new DebtHistory(database, ledger);
    const reader = new DebtReader(pause, history);
    const fallbacks = new FallbackTokens(vault, stops, ledger);
    const writer = new RecoveryWriter(store, new EventComposer(ids, store));
    const settlement = new Settlement(writer, reader, history, fallbacks, ledger, pause, random);
    const charging = new Charging(reader, pause, settlement, writer, ledger, fallbacks, random, vault, ids);
    const ended = new EndedCharges(history, writer);
    const reconciliation = new Reconciliation(store, writer, history, settlement, charging, ended);
    const acceptance = new Acceptance(reader, history, fallbacks, random);
    const simulation = new Simulation(writer);
    const closing = new Closing(writer, database);
    const leases = new LeaseKeeper(store);
    const worker = new Worker(acceptance, charging, reconciliation, closing, simulation, writer, store, leases, vault);
    const works = new BackgroundWorks();
    const publicUrl = new PublicUrl();
    publicUrl.set('https://revtain.example');
    const directory = new ClientDirectory(database, vault, clock, log);
    const gateways = new OneGateway(clock, new GatewayPort(house, this));
    const settings = new EngineSettings(GATEWAY_TIMEOUT_MS, IN_FLIGHT_MAX);
    const contexts = new WorkContexts(clock, directory, gateways, settings, publicUrl);
    const engine = new Engine(store, worker, contexts, settings, clock, log, works);
    const sender = new Sender(new EndpointVault(vault), new LocalEgress(clock, receivers, this), clock);
    const dispatcher = new Dispatcher(new DeliveryStore(database, ids), sender, clock, random, log, works);
    this.execute = new ExecuteService(
      new Idempotency(database, store),
      new Intake(new Guards(), store, writer),
      acceptance,
      simulation,
      store,
      worker,
      contexts,
      engine,
      dispatcher,
      vault,
      clock,
      random,
      ids,
    );
    const reads = new RecoveryReader(database, store);
    const endings = new Endings(store, writer, leases);
    const hold = new RecoveryHold(store, contexts, leases);
    this.steering = new SteeringService(hold, store, writer, worker, stops, ledger, engine, dispatcher, vault);
    this.ending = new EndingService(hold, store, endings, writer, worker, reads, engine, dispatcher);
    this.directory = directory;
    this.owner = store.owner;
    this.connection = database;
    this.loop = role === 'engine' ? engine : dispatcher;
  }

  nextDueMs(): number {
    return this.role === 'engine' ? this.around.nextClaimMs() : this.around.nextSendMs();
  }

  start(): void {
    this.around.timeline.enter(this);
    this.loop.start();
  }

  /** SIGKILL: its memory is gone, what it sent is under way, and its transactions are taken back. */
  kill(): void {
    this.dead = true;
    this.connection.cut();
    this.around.timeline.clearOf(this);
  }

  /** SIGSTOP until an instant, SIGCONT then. PostgreSQL does not wait for its transactions. */
  stop(untilMs: number): void {
    this.stoppedUntilMs = untilMs;
    this.connection.cut();
  }
}
