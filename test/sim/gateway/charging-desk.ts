import type { ChargeRequest, ChargeResult } from '../../../src/gateways/gateway.js';
import type { Faults } from '../faults.js';
import type { Timeline } from '../timeline.js';
import type { Bank } from './bank.js';
import { KeyStore } from './key-store.js';

/** A charge takes so long in the gateway itself. */
const PROCESSING_MAX_MS = 900;
/** What answered with a 5xx may still be carried out so much later. */
const ROLLED_FORWARD_MAX_MS = 45_000;

/** What a charge under a key was asked for: the same key with another one is refused. */
export interface ChargeListener {
  /** A request has arrived, new or not. */
  onRequest(request: ChargeRequest): void;
  /** The same key came with other parameters. */
  onMismatch(request: ChargeRequest): void;
}

/** Where charging calls arrive: keys first, then one execution, whose reply is kept. */
export class ChargingDesk {
  private readonly keys = new KeyStore<ChargeResult>();

  constructor(
    private readonly bank: Bank,
    private readonly timeline: Timeline,
    private readonly faults: Faults,
    private readonly listener: ChargeListener,
  ) {}

  receive(request: ChargeRequest, reply: (result: ChargeResult) => void): void {
    this.listener.onRequest(request);
    const { idempotencyKey: key, ...parameters } = request;
    const said = this.keys.begin(key, JSON.stringify(parameters), this.timeline.nowMs);
    switch (said.kind) {
      case 'replay':
        return reply(said.reply);
      case 'running':
        this.faults.note('gateway_key_in_use');
        return reply({ kind: 'back_off', retryAfterMs: 1_000, code: 'idempotency_key_in_use', keyInUse: true });
      case 'mismatch':
        this.listener.onMismatch(request);
        return reply(refusedKey());
      case 'new':
        this.timeline.call(this.faults.between(5, PROCESSING_MAX_MS), () => reply(this.execute(request)));
    }
  }

  private execute(request: ChargeRequest): ChargeResult {
    const result = this.carryOut(request);
    this.keys.end(request.idempotencyKey, result);
    return result;
  }

  private carryOut(request: ChargeRequest): ChargeResult {
    const { faults, bank } = this;
    const broken: ChargeResult = { kind: 'unknown', loss: 'received_5xx', message: '500' };
    if (faults.happens('gateway_5xx_not_executed')) return broken;
    if (faults.happens('gateway_5xx_executed_later')) {
      this.timeline.call(faults.between(1, ROLLED_FORWARD_MAX_MS), () => bank.charge(request));
      return broken;
    }
    const result = bank.charge(request);
    if (faults.happens('gateway_5xx_executed')) return broken;
    if (!faults.happens('gateway_status_unmapped')) return result;
    return { kind: 'unknown', loss: 'lost_reply', message: 'unmapped', unmapped: 'requires_dance' };
  }
}

function refusedKey(): ChargeResult {
  const code = 'idempotency_error';
  return { kind: 'read_first', known: false, status: 400, code, param: null, message: code, requestId: null };
}
