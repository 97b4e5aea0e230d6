import { Controller, Get, Header, Module, Param } from '@nestjs/common';

import { Open } from '../clients/access.js';
import { notFound } from '../platform/http/domain-error.js';
import { routeDecline } from '../recovery/decline.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { findDeclineRow, TABLES, type DeclineRow } from '../recovery/tables.js';

/** The table changes with a release only. */
const CACHE = 'public, max-age=3600';

/** What a decline code means and what we do with it. Open to everybody: the table is published. */
@Controller('api/lookup/decline')
@Open()
export class LookupController {
  @Get()
  @Header('cache-control', CACHE)
  all(): { data: object[] } {
    return { data: [...TABLES.declines.values()].map((row) => view(row, row.code)) };
  }

  @Get(':gateway/:code')
  @Header('cache-control', CACHE)
  one(@Param('gateway') gateway: string, @Param('code') code: string): object {
    if (gateway !== 'stripe' && gateway !== 'test') throw notFound('no gateway of this name is known; try stripe');
    return view(findDeclineRow(code.toLowerCase()), code);
  }
}

/** An unlisted code is no error: it is handled as told here. */
function view(row: DeclineRow | null, code: string): object {
  const route = routeDecline({ ...NO_SIGNALS, declineCode: row?.code ?? code, errorCode: row?.code ?? null });
  return {
    code: row?.code ?? code,
    kind: row?.kind ?? null,
    listed: row !== null,
    meaning: row?.meaning ?? null,
    bucket: route.bucket,
    scope: route.scope,
    firstStep: route.firstStep,
    retryable: route.retryable,
    scheduleGroup: route.group,
    recommendedAction: route.recommendedAction,
    finalAction: route.finalAction,
    recommendedActionDetail: route.detail,
    customerMessageSafe: route.customerMessageSafe,
    source: row?.source ?? null,
  };
}

@Module({ controllers: [LookupController] })
export class LookupModule {}
