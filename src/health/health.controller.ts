import { Controller, Get } from '@nestjs/common';

import { Open } from '../clients/access.js';
import { DomainError } from '../platform/http/domain-error.js';
import { type CheckResults, Readiness } from './readiness.service.js';

@Controller()
@Open()
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  /** Alive as long as it answers: a database that is down is no reason to kill the process. */
  @Get('healthz')
  health(): object {
    return { status: 'ok' };
  }

  /** @throws {DomainError} 503 naming what failed. */
  @Get('readyz')
  async ready(): Promise<object> {
    const checks = await this.readiness.check();
    const failed = Object.entries(checks).flatMap(([name, result]) => (result === 'ok' ? [] : [name]));
    if (this.readiness.isStopping) throw notReady('The process is stopping.', checks);
    if (failed.length > 0) throw notReady(`Failed: ${failed.join(', ')}.`, checks);
    return { status: 'ready', checks };
  }
}

function notReady(detail: string, checks: CheckResults): DomainError {
  return new DomainError({ status: 503, code: 'not_ready', detail, members: { checks } });
}
