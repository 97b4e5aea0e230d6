import { GatewayRegistry, TestGatewayAddress } from '../../src/gateways/registry.js';
import type { Gateway } from '../../src/gateways/gateway.js';
import { Clock } from '../../src/platform/clock.js';
import { isConnectionError } from '../../src/platform/db/database.js';
import { EgressClient, type EgressAnswer, type EgressRequest } from '../../src/platform/egress/egress-client.js';
import { Log, type LogFacts } from '../../src/platform/logging/log.js';
import type { Receivers } from './receivers.js';
import type { Inhabitant, Timeline } from './timeline.js';

/** The product's port of time. */
export class VirtualClock extends Clock {
  constructor(private readonly timeline: Timeline) {
    super();
  }

  override now(): Date {
    return new Date(this.timeline.nowMs);
  }

  override monotonicMs(): number {
    return this.timeline.nowMs;
  }
}

/** One gateway for all accounts. */
export class OneGateway extends GatewayRegistry {
  constructor(
    clock: Clock,
    private readonly gateway: Gateway,
  ) {
    super(clock, new TestGatewayAddress(), { stripeApiBase: null });
  }

  override gatewayFor(): Gateway {
    return this.gateway;
  }
}

/** Posts to the world's receivers and to nobody else. */
export class LocalEgress extends EgressClient {
  constructor(
    clock: Clock,
    private readonly receivers: Receivers,
    private readonly process: Inhabitant,
  ) {
    super({ ports: [443], allowLoopback: false }, clock);
  }

  override post(request: EgressRequest): Promise<EgressAnswer> {
    return this.receivers.post(this.process, request);
  }
}

/** Told of errors that no fault explains: a bug of the product. */
export type BugListener = (event: string, error: unknown) => void;

/** Keeps nothing of what is logged, but tells errors. The product logs what it could not finish, and goes on. */
export class BugLog extends Log {
  private listener: BugListener = () => undefined;

  constructor() {
    super('silent');
  }

  listen(listener: BugListener): void {
    this.listener = listener;
  }

  override error(event: string, _facts: LogFacts, error: unknown): void {
    if (!isConnectionError(error)) this.listener(event, error);
  }

  override info(): void {
    return;
  }

  override warn(): void {
    return;
  }
}
