import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { EmptyBody } from '../platform/http/empty-body.js';
import {
  CreateEndpointBody,
  EndpointsQuery,
  RecoverBody,
  RotateSecretBody,
  UpdateEndpointBody,
} from './endpoint.dto.js';
import type { EndpointView } from './endpoint-view.js';
import { EndpointsService, type Reenabled } from './endpoints.service.js';
import type { PingResult } from './pings.service.js';
import { Resends, type ResendOrder } from './resends.service.js';

@Controller('api/webhook-endpoints')
@Auth('secret')
export class EndpointsController {
  constructor(
    private readonly endpoints: EndpointsService,
    private readonly resends: Resends,
  ) {}

  @Post()
  add(@CallerParam() caller: Caller, @Body() body: CreateEndpointBody): Promise<EndpointView & { secret: string }> {
    return this.endpoints.add(caller.clientId, body);
  }

  @Get()
  list(@CallerParam() caller: Caller, @Query() query: EndpointsQuery): Promise<object> {
    return this.endpoints.list(caller.clientId, query);
  }

  @Get(':endpointId')
  read(@CallerParam() caller: Caller, @Param('endpointId') id: string): Promise<EndpointView> {
    return this.endpoints.read(caller.clientId, id);
  }

  @Patch(':endpointId')
  update(
    @CallerParam() caller: Caller,
    @Param('endpointId') id: string,
    @Body() body: UpdateEndpointBody,
  ): Promise<EndpointView & { reenabled?: Reenabled }> {
    return this.endpoints.update(caller, id, body);
  }

  @Delete(':endpointId')
  @HttpCode(204)
  async remove(@CallerParam() caller: Caller, @Param('endpointId') id: string): Promise<void> {
    await this.endpoints.remove(caller.clientId, id);
  }

  @Post(':endpointId/rotate-secret')
  @HttpCode(200)
  rotateSecret(
    @CallerParam() caller: Caller,
    @Param('endpointId') id: string,
    @Body() { overlapHours }: RotateSecretBody,
  ): Promise<object> {
    return this.endpoints.rotateSecret(caller.clientId, id, overlapHours);
  }

  @Post(':endpointId/ping')
  @HttpCode(200)
  ping(
    @CallerParam() caller: Caller,
    @Param('endpointId') id: string,
    @Body() _nothing: EmptyBody,
  ): Promise<PingResult> {
    return this.endpoints.ping(caller, id);
  }

  @Post(':endpointId/recover')
  @HttpCode(202)
  recover(
    @CallerParam() caller: Caller,
    @Param('endpointId') id: string,
    @Body() body: RecoverBody,
  ): Promise<ResendOrder> {
    return this.resends.recover(caller.clientId, id, body);
  }
}
