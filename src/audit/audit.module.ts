import { Controller, Get, Module, Param, Query } from '@nestjs/common';

import { AdminOnly } from '../clients/access.js';
import { notFound } from '../platform/http/domain-error.js';
import { Integer, Text } from '../platform/http/fields.js';
import { type Audit, Auditor } from './auditor.service.js';
import { AuditKeys } from './audit-keys.js';
import { Chainer } from './chainer.js';

/** A page of checkpoints. */
export class CheckpointsQuery {
  @Text({ max: 64 })
  after?: string;

  @Integer({ min: 1, max: 200 })
  limit: number = 50;
}

/** For the operator: is the timeline as it was written, and what proves it later? */
@Controller('api/audit')
@AdminOnly()
export class AuditController {
  constructor(private readonly auditor: Auditor) {}

  @Get('verify')
  verify(): Promise<Audit> {
    return this.auditor.audit();
  }

  @Get('checkpoints')
  checkpoints(@Query() { after = '', limit }: CheckpointsQuery): Promise<object> {
    return this.auditor.checkpoints(after, limit);
  }

  @Get('links/:clientId/:number')
  link(@Param('clientId') clientId: string, @Param('number') number: string): Promise<object> {
    if (!/^\d{1,15}$/.test(number)) throw notFound('The chain of this client has no link of this number.');
    return this.auditor.link(clientId, Number(number));
  }
}

/** The hash chain over every decision, and the looks at it. */
@Module({ controllers: [AuditController], providers: [AuditKeys, Auditor, Chainer], exports: [Auditor] })
export class AuditModule {}
