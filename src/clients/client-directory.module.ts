import { Module } from '@nestjs/common';

import { CallRateLimit } from './call-rate-limit.service.js';
import { ClientDirectory } from './client-directory.service.js';
import { ExecuteRateLimit } from './execute-rate-limit.service.js';
import { GatewayAccess } from './gateway-access.service.js';
import { GatewayWebhookSecrets } from './gateway-webhook-secrets.service.js';

const PARTS = [CallRateLimit, ClientDirectory, ExecuteRateLimit, GatewayAccess, GatewayWebhookSecrets];

/** Who a client is and what it may do now: for every room that serves or works for clients. */
@Module({ providers: PARTS, exports: PARTS })
export class ClientDirectoryModule {}
