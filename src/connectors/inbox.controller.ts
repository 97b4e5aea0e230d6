import { Controller, HttpCode, Post, Req } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

import { Open } from '../clients/access.js';
import { BodyBytesMax, RawBodyOnly } from '../platform/http/route-rules.js';
import type { InboundRequest } from './billing-platform.js';
import { Inbox } from './inbox.service.js';

/** An invoice with its lines can be larger than what merchants send us; refused, its platform would give us up. */
const EVENT_BYTES_MAX = 1024 * 1024;
const RECEIVED = { received: true };

interface Addressee {
  platform: string;
  clientId: string;
}

/** Where billing platforms send their events. Nobody has a key of ours here: the signature over the raw body is the proof. */
@Controller()
@Open()
export class InboxController {
  constructor(private readonly inbox: Inbox) {}

  @Post('api/connectors/:platform/webhook/:clientId')
  @HttpCode(200)
  @RawBodyOnly()
  @BodyBytesMax(EVENT_BYTES_MAX)
  async receive(@Req() request: FastifyRequest<{ Params: Addressee }>): Promise<object> {
    const { platform, clientId } = request.params;
    await this.inbox.receive(platform, clientId, inboundOf(request));
    return RECEIVED;
  }

  /** For an install with one client. */
  @Post('webhooks/stripe')
  @HttpCode(200)
  @RawBodyOnly()
  @BodyBytesMax(EVENT_BYTES_MAX)
  async receiveOfOnlyClient(@Req() request: FastifyRequest): Promise<object> {
    await this.inbox.receive('stripe-billing', await this.inbox.onlyClient(), inboundOf(request));
    return RECEIVED;
  }
}

function inboundOf({ rawBody, headers }: Pick<FastifyRequest, 'rawBody' | 'headers'>): InboundRequest {
  return { bytes: rawBody ?? Buffer.alloc(0), headers };
}
