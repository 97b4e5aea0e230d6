import { Module } from '@nestjs/common';

import { ClientDirectory } from './client-directory.service.js';
import { ExecuteRateLimit } from './execute-rate-limit.service.js';
import { GatewayWebhookSecrets } from './gateway-webhook-secrets.service.js';

/** Who a client is and what it may do now: for every room that serves or works for clients. */
@Module({
  providers: [ClientDirectory, ExecuteRateLimit, GatewayWebhookSecrets],
  exports: [ClientDirectory, ExecuteRateLimit, GatewayWebhookSecrets],
})
export class ClientDirectoryModule {}
