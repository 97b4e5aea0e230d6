import { readFileSync } from 'node:fs';

import { Injectable } from '@nestjs/common';

import { Clock } from '../platform/clock.js';
import { EgressClient, type EgressAnswer } from '../platform/egress/egress-client.js';
import { TRY_DEADLINE_MS } from './delivery-policy.js';
import { EndpointVault, type SealedEndpoint } from './endpoint-secrets.js';
import { signatureHeaders } from './signature.js';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const USER_AGENT = `Revtain-Webhooks/${version}`;

export interface Message {
  eventId: string;
  body: Buffer;
  tryNumber: number;
  /** `X-Revtain-Sequence`; null for an event about no recovery. */
  endpointSequence: number | null;
}

/** Signs a message and posts it, once. */
@Injectable()
export class Sender {
  /** A port for tests, which can not wait ten seconds for each of many faults. */
  protected readonly deadlineMs: number = TRY_DEADLINE_MS;

  constructor(
    private readonly vault: EndpointVault,
    private readonly egress: EgressClient,
    private readonly clock: Clock,
  ) {}

  /** Never throws for what the receiver does. @throws when the endpoint's secrets do not open. */
  send(endpoint: SealedEndpoint, message: Message): Promise<EgressAnswer> {
    const { secrets, headers: own } = this.vault.open(endpoint);
    const { eventId: id, body, tryNumber, endpointSequence } = message;
    const headers = signatureHeaders({ id, sentAt: this.clock.now(), body }, secrets);
    headers['Content-Type'] = 'application/json';
    headers['User-Agent'] = USER_AGENT;
    headers['X-Revtain-Delivery-Attempt'] = String(tryNumber);
    if (endpointSequence !== null) headers['X-Revtain-Sequence'] = String(endpointSequence);
    // The merchant's own; names of ours were refused when they were set.
    for (const name in own) headers[name] ??= own[name] ?? '';
    return this.egress.post({ url: endpoint.url, body, deadlineMs: this.deadlineMs, headers });
  }
}
