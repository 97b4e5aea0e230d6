import { Controller, Get, HttpCode, Param, Post, Res } from '@nestjs/common';
import type { FastifyReply } from 'fastify';

import { Open } from '../clients/access.js';
import { notFound } from '../platform/http/domain-error.js';
import { RawBodyOnly } from '../platform/http/route-rules.js';
import { Clock } from '../platform/clock.js';
import { Database } from '../platform/db/database.js';
import { escapeHtml } from './email-text.js';
import { wordsOf } from './alert.js';
import { DIGEST_KEY } from './grouping.js';
import { OptOuts } from './opt-outs.js';
import { type Unsubscription, UnsubscribeTokens } from './unsubscribe-tokens.js';

/** The page's own form may be sent, and nothing else may run, load or frame it. */
const POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'";

/** Where the link at the foot of an e-mail leads. Reading the page changes nothing, for mail scanners read every link. */
@Controller('alerts/unsubscribe')
@Open()
export class UnsubscribeController {
  constructor(
    private readonly database: Database,
    private readonly tokens: UnsubscribeTokens,
    private readonly optOuts: OptOuts,
    private readonly clock: Clock,
  ) {}

  @Get(':token')
  ask(@Param('token') token: string, @Res() reply: FastifyReply): void {
    const { kind, target } = this.read(token);
    const form = '<form method="post"><button type="submit">Send me no more of these</button></form>';
    sendPage(reply, `No more “${nameOf(kind)}” alerts for ${target}?`, form);
  }

  /** Also what a mail reader's own button calls. @see https://www.rfc-editor.org/rfc/rfc8058 */
  @Post(':token')
  @HttpCode(200)
  @RawBodyOnly()
  async confirm(@Param('token') token: string, @Res() reply: FastifyReply): Promise<void> {
    const { clientId, channel, target, kind } = this.read(token);
    await this.database.transaction({ role: 'tenant', clientId }, (tx) =>
      this.optOuts.add(tx, clientId, { channel, target, kind }, this.clock.now()),
    );
    const back = '<p>To get them again, take the address off the alert addresses and put it back.</p>';
    sendPage(reply, `${target} gets no more “${nameOf(kind)}” alerts.`, back);
  }

  /** @throws {DomainError} 404 for a token that we did not make. */
  private read(token: string): Unsubscription {
    const unsubscription = this.tokens.read(token);
    if (!unsubscription) throw notFound('This link is not known.');
    return unsubscription;
  }
}

function nameOf(kind: string): string {
  return kind === DIGEST_KEY ? 'daily digest' : wordsOf(kind).one;
}

function sendPage(reply: FastifyReply, title: string, content: string): void {
  const page = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta name="robots" content="noindex"><title>Alerts</title>
<style>body{max-width:36rem;margin:4rem auto;padding:0 1rem;font:16px/1.5 system-ui,sans-serif}button{padding:.5rem 1rem;font:inherit}</style></head>
<body><h1>${escapeHtml(title)}</h1>${content}</body></html>
`;
  void reply.header('content-type', 'text/html; charset=utf-8').header('content-security-policy', POLICY).send(page);
}
