import { Body, Controller, Delete, Get, HttpCode, Param, Patch, Post, Query } from '@nestjs/common';

import { notFound } from '../platform/http/domain-error.js';
import { AdminOnly, AdminOr, MaybeCaller } from './access.js';
import { ApiKeysService } from './api-keys.service.js';
import type { Caller } from './caller.js';
import { CreateClientBody, CreateKeyBody, PageQuery, UpdateClientBody } from './client.dto.js';
import { ClientsService, type CreatedClient } from './clients.service.js';
import type { ClientView, KeyView } from './client-view.js';

@Controller('api/clients')
@AdminOr('secret')
export class ClientsController {
  constructor(
    private readonly clients: ClientsService,
    private readonly keys: ApiKeysService,
  ) {}

  @Post()
  @AdminOnly()
  create(@Body() body: CreateClientBody): Promise<CreatedClient> {
    return this.clients.create(body);
  }

  @Get()
  @AdminOnly()
  list(@Query() page: PageQuery): Promise<object> {
    return this.clients.list(page);
  }

  @Get(':clientId')
  read(@Param('clientId') id: string, @MaybeCaller() caller: Caller | null): Promise<ClientView> {
    return this.clients.read(own(id, caller));
  }

  @Patch(':clientId')
  update(
    @Param('clientId') id: string,
    @MaybeCaller() caller: Caller | null,
    @Body() body: UpdateClientBody,
  ): Promise<ClientView> {
    return this.clients.update(own(id, caller), body);
  }

  @Post(':clientId/keys')
  createKey(
    @Param('clientId') id: string,
    @MaybeCaller() caller: Caller | null,
    @Body() { kind, name }: CreateKeyBody,
  ): Promise<KeyView & { apiKey: string }> {
    return this.keys.create(own(id, caller), kind, name ?? null);
  }

  @Get(':clientId/keys')
  listKeys(@Param('clientId') id: string, @MaybeCaller() caller: Caller | null): Promise<object> {
    return this.keys.list(own(id, caller));
  }

  @Delete(':clientId/keys/:keyId')
  @HttpCode(204)
  async revokeKey(
    @Param('clientId') id: string,
    @Param('keyId') keyId: string,
    @MaybeCaller() caller: Caller | null,
  ): Promise<void> {
    await this.keys.revoke(own(id, caller), keyId);
  }
}

/** The id asked for, if the caller may ask for it: the operator for all, a client for its own. @throws {DomainError} 404. */
function own(id: string, caller: Caller | null): string {
  if (caller && caller.clientId !== id) throw notFound('There is no such client.');
  return id;
}
