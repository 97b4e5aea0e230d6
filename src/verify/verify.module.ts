import { Controller, Get, Module } from '@nestjs/common';

import { AuditModule } from '../audit/audit.module.js';
import { AdminOnly } from '../clients/access.js';
import { Verifier, type Verification } from './verifier.service.js';

/** For the operator: does the live database hold what it must? */
@Controller('api/verify')
@AdminOnly()
export class VerifyController {
  constructor(private readonly verifier: Verifier) {}

  @Get()
  verify(): Promise<Verification> {
    return this.verifier.verify();
  }
}

@Module({ imports: [AuditModule], controllers: [VerifyController], providers: [Verifier] })
export class VerifyModule {}
