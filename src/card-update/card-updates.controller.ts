import { Body, Controller, Get, Param, Post } from '@nestjs/common';

import { Auth, CallerParam } from '../clients/access.js';
import type { Caller } from '../clients/caller.js';
import { GenerateBody } from './card-update.dto.js';
import { type HostedInvoice, HostedInvoices } from './hosted-invoices.service.js';
import { CardUpdateLinks, type GeneratedLink } from './links.service.js';

@Controller('api/recovery')
@Auth('secret')
export class CardUpdatesController {
  constructor(
    private readonly links: CardUpdateLinks,
    private readonly hostedInvoices: HostedInvoices,
  ) {}

  @Post('update-card/generate')
  generate(@CallerParam() caller: Caller, @Body() body: GenerateBody): Promise<GeneratedLink> {
    return this.links.generate(caller, body);
  }

  @Get(':transactionId/hosted-invoice')
  hostedInvoice(@CallerParam() caller: Caller, @Param('transactionId') id: string): Promise<HostedInvoice> {
    return this.hostedInvoices.read(caller, id);
  }
}
