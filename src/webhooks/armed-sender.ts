import type { EgressAnswer } from '../platform/egress/egress-client.js';
import { COULD_NOT_CONNECT } from '../platform/egress/egress-client.js';
import type { Failpoints } from '../platform/failpoints/failpoints.js';
import type { SealedEndpoint } from './endpoint-secrets.js';
import { type Message, Sender } from './sender.js';

/** A sender with a failpoint around each webhook: `webhook.send`. */
export class ArmedSender extends Sender {
  constructor(
    private readonly failpoints: Failpoints,
    ...parts: ConstructorParameters<typeof Sender>
  ) {
    super(...parts);
  }

  override send(endpoint: SealedEndpoint, message: Message): Promise<EgressAnswer> {
    const cause = 'the wire was cut at a failpoint';
    const lost: EgressAnswer = { kind: 'no_answer', text: COULD_NOT_CONNECT, cause, durationMs: 0 };
    const cut = () => Promise.resolve(lost);
    const wire = { before: cut, after: cut };
    return this.failpoints.through('webhook.send', [endpoint.clientId], () => super.send(endpoint, message), wire);
  }
}
