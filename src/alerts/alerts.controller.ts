import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';

import { AdminOr, MaybeCaller } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { notFound } from '../platform/http/domain-error.js';
import { AlertsQuery, TestAlertBody } from './alerts.dto.js';
import { AlertsService } from './alerts.service.js';
import type { MessageView } from './message-view.js';

@Controller('api/clients')
@AdminOr('secret')
export class AlertsController {
  constructor(private readonly alerts: AlertsService) {}

  @Get(':clientId/alerts')
  list(@Param('clientId') id: string, @MaybeCaller() caller: Caller | null, @Query() query: AlertsQuery) {
    return this.alerts.list(own(id, caller), query);
  }

  @Post(':clientId/alerts/test')
  @HttpCode(200)
  test(
    @Param('clientId') id: string,
    @MaybeCaller() caller: Caller | null,
    @Body() { channel }: TestAlertBody,
  ): Promise<{ data: MessageView[]; warnings: string[] }> {
    return this.alerts.test(own(id, caller), channel);
  }
}

/** The id asked for, if the caller may ask for it: the operator for all, a client for its own. @throws {DomainError} 404. */
function own(id: string, caller: Caller | null): string {
  if (caller && caller.clientId !== id) throw notFound('There is no such client.');
  return id;
}
