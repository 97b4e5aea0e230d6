import { Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

import { Open } from '../clients/access.js';
import { sendPage } from '../platform/http/plain-page.js';
import { RawBodyOnly } from '../platform/http/route-rules.js';
import { ReturnQuery } from './card-update.dto.js';
import { Clicks } from './clicks.service.js';
import { askPage, deadPage, savedPage, tooManyPage, unavailablePage, waitingPage } from './pages.js';

const RETRY_LATER_SECONDS = 3_600;

/** The pages behind a card-update link. Whoever has the link may see them; the card itself is entered elsewhere. */
@Controller('update-card/:token')
@Open()
export class CardUpdatePageController {
  constructor(private readonly clicks: Clicks) {}

  @Get()
  async ask(@Param('token') token: string, @Res() reply: FastifyReply): Promise<void> {
    const live = await this.clicks.look(token);
    sendPage(reply, live ? askPage(live) : deadPage());
  }

  @Post()
  @HttpCode(303)
  @RawBodyOnly()
  async click(
    @Param('token') token: string,
    @Headers('sec-fetch-site') site: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    // Browsers say where a press comes from: one on somebody else's page leads to ours, and opens nothing.
    if (site !== undefined && site !== 'same-origin') {
      void reply.status(303).header('location', encodeURIComponent(token)).send();
      return;
    }
    const click = await this.clicks.click(token);
    switch (click.kind) {
      case 'opened':
        void reply.status(303).header('location', click.url).send();
        return;
      case 'dead':
        sendPage(reply, deadPage());
        return;
      case 'too_many':
        void reply.header('retry-after', String(RETRY_LATER_SECONDS));
        sendPage(reply, tooManyPage());
        return;
      case 'unavailable':
        void reply.header('retry-after', '60');
        sendPage(reply, unavailablePage());
    }
  }

  @Get('done')
  async comeBack(
    @Param('token') token: string,
    @Query() { session_id: sessionId }: ReturnQuery,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const result = await this.clicks.comeBack(token, sessionId);
    switch (result.kind) {
      case 'saved':
        sendPage(reply, savedPage(result.live));
        return;
      case 'waiting':
        sendPage(reply, waitingPage(result.live, `?session_id=${encodeURIComponent(sessionId ?? '')}`));
        return;
      case 'dead':
        sendPage(reply, deadPage());
    }
  }
}
