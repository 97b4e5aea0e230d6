import { Controller, Get, Headers, Module, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

import { Open } from '../clients/access.js';
import { entityTag, isUnmodified } from '../platform/http/entity-tag.js';
import { notFound } from '../platform/http/domain-error.js';
import { routeDecline } from '../recovery/decline.js';
import { NO_SIGNALS } from '../recovery/payment-looks.js';
import { plainCode } from '../recovery/signals.js';
import { customerText } from '../recovery/wording.js';
import { findDeclineRow, TABLES, type DeclineRow } from '../recovery/tables.js';

/** The table changes with a release only. */
const CACHE = 'public, max-age=3600';

/** What a decline code means and what we do with it. Open to everybody: the table is published. */
@Controller('api/lookup/decline')
@Open()
export class LookupController {
  private readonly table = { data: [...TABLES.declines.values()].map((row) => view(row, row.code)) };
  private readonly tableTag = entityTag(this.table);

  @Get()
  async all(@Headers('if-none-match') known: string | undefined, @Res() reply: FastifyReply): Promise<void> {
    await sendCached(reply, this.table, this.tableTag, known);
  }

  @Get(':gateway/:code')
  async one(
    @Param('gateway') gateway: string,
    @Param('code') code: string,
    @Headers('if-none-match') known: string | undefined,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    if (gateway !== 'stripe' && gateway !== 'test') throw notFound('no gateway of this name is known; try stripe');
    const found = view(findDeclineRow(plainCode(code) ?? ''), code);
    await sendCached(reply, found, entityTag(found), known);
  }
}

async function sendCached(reply: FastifyReply, body: object, tag: string, known: string | undefined): Promise<void> {
  void reply.headers({ 'cache-control': CACHE, etag: tag });
  await (isUnmodified(known, tag) ? reply.code(304).send() : reply.send(body));
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
    customerMessageSafe: customerText(route, false),
    customerMessageSafeFinal: customerText(route, true),
    source: row?.source ?? null,
  };
}

@Module({ controllers: [LookupController] })
export class LookupModule {}
