import { Body, Controller, Get, Headers, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { headerKeyOf } from '../execute/header-key.js';
import { sendAnswer } from '../execute/send-answer.js';
import { EndingService } from './ending.service.js';
import { KeyedCommand } from './keyed-command.js';
import { ListRecoveriesDto, StatusQueryDto, TimelineDto } from './list.dto.js';
import { PulseService } from './pulse.service.js';
import { RecoveryReader } from './recovery-reader.js';
import { CancelDto, PaymentMethodDto, PulseDto, ResolveDto, RetryDto } from './steering.dto.js';
import { SteeringService } from './steering.service.js';

@Controller('api/recovery')
@Auth('secret')
export class RecoveriesController {
  constructor(
    private readonly reader: RecoveryReader,
    private readonly steering: SteeringService,
    private readonly ending: EndingService,
    private readonly keyed: KeyedCommand,
    private readonly pulses: PulseService,
  ) {}

  @Get()
  list(@CallerParam() caller: Caller, @Query() filters: ListRecoveriesDto): Promise<object> {
    return this.reader.list(caller.clientId, filters);
  }

  @Get('status')
  statusByKey(@CallerParam() caller: Caller, @Query() { idempotencyKey }: StatusQueryDto): Promise<object> {
    return this.reader.statusByKey(caller.clientId, idempotencyKey);
  }

  @Get('status/:transactionId')
  status(@CallerParam() caller: Caller, @Param('transactionId') id: string): Promise<object> {
    return this.reader.status(caller.clientId, id);
  }

  @Get(':transactionId/events')
  timeline(
    @CallerParam() caller: Caller,
    @Param('transactionId') id: string,
    @Query() { after, limit }: TimelineDto,
  ): Promise<object> {
    return this.reader.timeline(caller.clientId, id, after, limit);
  }

  @Post(':transactionId/cancel')
  @HttpCode(200)
  cancel(
    @CallerParam() caller: Caller,
    @Param('transactionId') id: string,
    @Body() { reason }: CancelDto,
  ): Promise<object> {
    return this.ending.cancel(caller, id, reason);
  }

  @Post(':transactionId/retry')
  async retry(
    @CallerParam() caller: Caller,
    @Param('transactionId') id: string,
    @Body() body: RetryDto,
    @Headers('idempotency-key') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const call = { name: `retry:${id}`, body, headerKey: headerKeyOf(header) };
    sendAnswer(reply, await this.keyed.run(caller, call, (answer) => this.steering.retry(caller, id, answer)));
  }

  @Post(':transactionId/payment-method')
  async payWith(
    @CallerParam() caller: Caller,
    @Param('transactionId') id: string,
    @Body() body: PaymentMethodDto,
    @Headers('idempotency-key') header: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const call = { name: `payment-method:${id}`, body, headerKey: headerKeyOf(header) };
    const { paymentMethodToken } = body;
    sendAnswer(
      reply,
      await this.keyed.run(caller, call, (answer) => this.steering.payWith(caller, id, paymentMethodToken, answer)),
    );
  }

  @Post(':transactionId/resolve')
  @HttpCode(200)
  resolve(
    @CallerParam() caller: Caller,
    @Param('transactionId') id: string,
    @Body() body: ResolveDto,
  ): Promise<object> {
    return this.ending.resolve(caller, id, body.outcome, body.evidence);
  }

  @Post('pulse')
  @HttpCode(200)
  pulse(@CallerParam() caller: Caller, @Body() body: PulseDto): Promise<object> {
    return this.pulses.record(caller, body);
  }
}
