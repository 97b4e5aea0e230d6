import { Controller, Get, Param, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { parse } from 'yaml';

import { Open } from '../clients/access.js';
import { notFound } from '../platform/http/domain-error.js';
import { type Document, PAGE, PAGE_POLICY, readAssets, readContract } from './documents.js';

const SHORTLY = 'public, max-age=300';

/** The contract as a page and as a file. All of it is read once, at the first question. */
@Controller()
@Open()
export class DocsController {
  private assets: ReadonlyMap<string, Document> | null = null;
  private contract: { yaml: string; json: string } | null = null;

  @Get('docs')
  page(@Res() reply: FastifyReply): void {
    send(reply.header('content-security-policy', PAGE_POLICY), {
      contentType: 'text/html; charset=utf-8',
      content: PAGE,
    });
  }

  /** @throws {DomainError} 404 for anything but the page's three files. */
  @Get('docs/:asset')
  asset(@Param('asset') name: string, @Res() reply: FastifyReply): void {
    this.assets ??= readAssets();
    const asset = this.assets.get(name);
    if (!asset) throw notFound('There is no such file.');
    send(reply, asset);
  }

  @Get('openapi.yaml')
  yaml(@Res() reply: FastifyReply): void {
    send(reply, { contentType: 'application/yaml; charset=utf-8', content: this.read().yaml });
  }

  @Get('openapi.json')
  json(@Res() reply: FastifyReply): void {
    send(reply, { contentType: 'application/json; charset=utf-8', content: this.read().json });
  }

  private read(): { yaml: string; json: string } {
    if (!this.contract) {
      const yaml = readContract();
      // Our own file: its aliases are not an attack, so they are not counted.
      const document: unknown = parse(yaml, { maxAliasCount: -1 });
      this.contract = { yaml, json: JSON.stringify(document) };
    }
    return this.contract;
  }
}

function send(reply: FastifyReply, { contentType, content }: Document): void {
  void reply.header('content-type', contentType).header('cache-control', SHORTLY).send(content);
}
