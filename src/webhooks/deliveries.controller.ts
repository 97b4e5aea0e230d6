import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { EmptyBody } from '../platform/http/empty-body.js';
import { DeliveriesService } from './deliveries.service.js';
import type { DeliveryView, TryView } from './delivery-view.js';
import { DeliveriesQuery } from './endpoint.dto.js';

@Controller('api/webhook-deliveries')
@Auth('secret')
export class DeliveriesController {
  constructor(private readonly deliveries: DeliveriesService) {}

  @Get()
  list(@CallerParam() caller: Caller, @Query() query: DeliveriesQuery): Promise<object> {
    return this.deliveries.list(caller.clientId, query);
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
