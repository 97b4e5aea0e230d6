import { Body, Controller, Headers, HttpCode, Post, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';

import { Auth, CallerParam, CountsAsExecute } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { BodyBytesMax, GuardsItself } from '../platform/http/route-rules.js';
import { BatchService } from './batch.service.js';
import { ExecuteBatchDto, ExecuteDto } from './execute.dto.js';
import { ExecuteService } from './execute.service.js';
import { headerKeyOf } from './header-key.js';
import { sendAnswer } from './send-answer.js';

const BATCH_BYTES_MAX = 4 * 1024 * 1024;

@Controller()
@Auth('secret')
export class ExecuteController {
  constructor(
    private readonly executes: ExecuteService,
    private readonly batches: BatchService,
  ) {}

  @Post(['api/recovery/execute', 'execute'])
  @CountsAsExecute()
  async execute(
    @CallerParam() caller: Caller,
    @Body() body: ExecuteDto,
    @Headers('idempotency-key') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const options = { headerKey: headerKeyOf(header), chargeInRequest: true };
    sendAnswer(reply, await this.executes.execute(caller, body, options));
  }

  @Post('api/recovery/execute/batch')
  @HttpCode(200)
  @BodyBytesMax(BATCH_BYTES_MAX)
  @GuardsItself('items')
  batch(@CallerParam() caller: Caller, @Body() body: ExecuteBatchDto, @Req() request: FastifyRequest): Promise<object> {
    return this.batches.execute(caller, body.items, request.id);
  }
}
