import { Body, Controller, Get, HttpCode, Post } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { conflict } from '../platform/http/domain-error.js';
import { Instant } from '../platform/http/fields.js';
import { ClockWalker } from './clock-walker.js';
import { SandboxGateway, type LedgerCharge } from './sandbox-gateway.js';

export class MoveClockDto {
  @Instant({ required: true })
  advanceTo!: string;
}

/** For test clients: move time, and see every charge that the test gateway itself made. */
@Controller('api/sandbox')
@Auth('secret')
export class SandboxController {
  constructor(
    private readonly walker: ClockWalker,
    private readonly gateway: SandboxGateway,
  ) {}

  @Post('clock')
  @HttpCode(200)
  moveClock(@CallerParam() { settings }: Caller, @Body() { advanceTo }: MoveClockDto): Promise<object> {
    return this.walker.walk(settings, new Date(advanceTo));
  }

  @Get('ledger')
  async ledger(@CallerParam() { settings }: Caller): Promise<{ charges: LedgerCharge[] }> {
    if (settings.gatewayProvider !== 'test') {
      throw conflict('not_a_test_client', "the ledger is the test gateway's; this client charges elsewhere");
    }
    return { charges: (await this.gateway.ledger(settings.id)).map(published) };
  }
}

/** The ledger's published form: what else the test gateway keeps of a charge is its own. */
function published({
  revtainTransactionId,
  attemptId,
  amount,
  currency,
  status,
  declineCode,
  at,
}: LedgerCharge): LedgerCharge {
  return { revtainTransactionId, attemptId, amount, currency, status, declineCode, at };
}
