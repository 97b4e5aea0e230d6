import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { EmptyBody } from '../platform/http/empty-body.js';
import { DeliveriesService, type DeliverySummary } from './deliveries.service.js';
import type { DeliveryView, TryView } from './delivery-view.js';
import { DeliveriesQuery, EndpointsQuery, RedeliverManyBody, SummaryQuery } from './endpoint.dto.js';
import type { ResendView } from './resend-view.js';
import { Resends, type ResendOrder } from './resends.service.js';

@Controller('api/webhook-deliveries')
@Auth('secret')
export class DeliveriesController {
  constructor(
    private readonly deliveries: DeliveriesService,
    private readonly resends: Resends,
  ) {}

  @Get()
  list(@CallerParam() caller: Caller, @Query() query: DeliveriesQuery): Promise<object> {
    return this.deliveries.list(caller.clientId, query);
  }

  @Get('summary')
  summary(@CallerParam() caller: Caller, @Query() query: SummaryQuery): Promise<DeliverySummary> {
    return this.deliveries.summary(caller.clientId, query);
  }

  @Post('redeliver')
  @HttpCode(202)
  redeliverMany(@CallerParam() caller: Caller, @Body() body: RedeliverManyBody): Promise<ResendOrder> {
    return this.resends.redeliver(caller.clientId, body);
  }

  @Get('resends')
  listResends(@CallerParam() caller: Caller, @Query() query: EndpointsQuery): Promise<object> {
    return this.resends.list(caller.clientId, query);
  }

  @Get('resends/:resendId')
  readResend(@CallerParam() caller: Caller, @Param('resendId') id: string): Promise<ResendView> {
    return this.resends.read(caller.clientId, id);
  }

  @Get(':deliveryId')
  read(@CallerParam() caller: Caller, @Param('deliveryId') id: string): Promise<DeliveryView & { tries: TryView[] }> {
    return this.deliveries.read(caller.clientId, id);
  }

  @Post(':deliveryId/redeliver')
  @HttpCode(202)
  redeliver(
    @CallerParam() caller: Caller,
    @Param('deliveryId') id: string,
    @Body() _nothing: EmptyBody,
  ): Promise<DeliveryView> {
    return this.deliveries.redeliver(caller.clientId, id);
  }
}
