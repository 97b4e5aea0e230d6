import { Controller, Delete, Get, Headers, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { AdminOr, MaybeCaller, Open } from '../../clients/access.js';
import type { Caller } from '../../clients/caller.js';
import { badField, notFound } from '../../platform/http/domain-error.js';
import { guardText } from '../../platform/http/text-guard.js';
import { sendPage } from '../../platform/http/plain-page.js';
import { RawBodyOnly } from '../../platform/http/route-rules.js';
import { CallbackQuery, ClientQuery } from './connect.dto.js';
import { confirmPage, declinedPage, resultPage, stalePage } from './connect-pages.js';
import { ConnectHealth, type ConnectionView } from './connect-health.service.js';
import { StripeConnections } from './connect.service.js';

/** Connecting a merchant's Stripe account: by the merchant's key, or by the operator for a client that it names. */
@Controller('api/connectors/stripe')
@AdminOr('secret')
export class StripeConnectController {
  constructor(
    private readonly connections: StripeConnections,
    private readonly health: ConnectHealth,
  ) {}

  @Get()
  read(@MaybeCaller() caller: Caller | null, @Query() { clientId }: ClientQuery): Promise<ConnectionView> {
    return this.health.read(clientOf(caller, clientId));
  }

  /** Browsers follow the answer to Stripe; a backend reads its body and sends its merchant there. */
  @Get('connect')
  async begin(
    @MaybeCaller() caller: Caller | null,
    @Query() { clientId }: ClientQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const begun = await this.connections.begin(clientOf(caller, clientId));
    void reply.status(302).header('location', begun.url).header('content-type', 'application/json; charset=utf-8');
    void reply.send(JSON.stringify(begun));
  }

  @Delete('connection')
  @HttpCode(200)
  async disconnect(@MaybeCaller() caller: Caller | null, @Query() { clientId }: ClientQuery): Promise<ConnectionView> {
    const id = clientOf(caller, clientId);
    if (!(await this.connections.disconnect(id))) throw notFound('No account was ever connected.');
    return this.health.read(id);
  }

  /** Stripe sends the merchant's browser here. Nothing is taken yet: whoever reads the address must press the button. */
  @Get('callback')
  @Open()
  async ask(@Query() { state, code, error }: CallbackQuery, @Res() reply: FastifyReply): Promise<void> {
    if (error !== undefined) {
      sendPage(reply, declinedPage());
      return;
    }
    const client = await this.connections.peek(state ?? '');
    sendPage(reply, client && code !== undefined ? confirmPage(client, state ?? '', code) : stalePage());
  }

  @Post('callback')
  @Open()
  @HttpCode(200)
  @RawBodyOnly()
  async finish(
    @Headers('sec-fetch-site') site: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const form = new URLSearchParams((request.rawBody ?? Buffer.alloc(0)).toString('utf8'));
    const [state, code] = [form.get('state') ?? '', form.get('code') ?? ''];
    guardText({ state, code });
    // Browsers say where a press comes from: one on somebody else's page takes nothing.
    const isOurs = site === undefined || site === 'same-origin';
    sendPage(reply, isOurs ? resultPage(await this.connections.finish(state, code)) : stalePage());
  }
}

/** The client that is meant, if the caller may mean it. @throws {DomainError} 400, 404. */
function clientOf(caller: Caller | null, asked: string | undefined): string {
  if (caller && asked !== undefined && asked !== caller.clientId) throw notFound('There is no such client.');
  const id = caller?.clientId ?? asked;
  if (id === undefined) throw badField('clientId', 'missing_field', 'is required for the operator', 'a client’s id');
  return id;
}
