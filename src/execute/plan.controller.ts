import { Body, Controller, HttpCode, Post } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { clientNow } from '../clients/client-settings.js';
import { Clock } from '../platform/clock.js';
import { Vault } from '../platform/crypto/vault.js';
import { Ids } from '../platform/ids.js';
import { checkRequest } from './check-request.js';
import { ExecuteDto } from './execute.dto.js';
import { newRecovery } from './new-recovery.js';
import { planRecovery, type RecoveryPlan } from './plan.js';

/** What an execute would do, told without doing it. */
@Controller('api/recovery')
@Auth('secret')
export class PlanController {
  constructor(
    private readonly clock: Clock,
    private readonly ids: Ids,
    private readonly vault: Vault,
  ) {}

  @Post('plan')
  @HttpCode(200)
  plan(@CallerParam() { settings: client }: Caller, @Body() body: ExecuteDto): RecoveryPlan {
    const now = clientNow(client, this.clock.now());
    checkRequest(client, body, now);
    const recovery = newRecovery(this.ids.ulid(), client, body, null, now, this.vault);
    return planRecovery(recovery, now, client.customerActionHoldMinutes);
  }
}
