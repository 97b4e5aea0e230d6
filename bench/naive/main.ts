import 'reflect-metadata';

import { createHash } from 'node:crypto';

import { Body, Controller, Headers, HttpCode, Module, Post, ValidationPipe } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import { DataSource } from 'typeorm';
import { ulid } from 'ulid';

import { ApiKey, Client, Endpoint, ENTITIES, SnakeCaseNames } from './entities.js';
import { ExecuteDto } from './execute.dto.js';
import { ExecuteService } from './execute.service.js';

/** As many connections as the service it is measured against has by default. */
const CONNECTIONS_MAX = 10;

@Controller()
class ExecuteController {
  constructor(private readonly service: ExecuteService) {}

  @Post('api/recovery/execute')
  @HttpCode(200)
  execute(@Headers('x-api-key') apiKey: string, @Body() body: ExecuteDto): Promise<object> {
    return this.service.execute(apiKey, body);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env.DATABASE_URL ?? '',
      entities: ENTITIES,
      namingStrategy: new SnakeCaseNames(),
      extra: { max: CONNECTIONS_MAX },
    }),
  ],
  controllers: [ExecuteController],
  providers: [ExecuteService],
})
class NaiveModule {}

/** One merchant with one key and one endpoint. Returns the key. */
async function createMerchant(source: DataSource): Promise<string> {
  const at = new Date();
  const apiKey = 'rev_bench';
  const times = { createdAt: at, updatedAt: at };
  const id = `cli_${ulid()}`;
  const clear = Buffer.from('sk_live_bench');
  const money = { gatewayProvider: 'stripe', gatewayKeySealed: clear, defaultCurrency: 'USD' };
  await source.getRepository(Client).save({ id, name: 'Bench', ...money, livemode: true, isTest: false, ...times });
  const hash = createHash('sha256').update(apiKey).digest();
  await source
    .getRepository(ApiKey)
    .save({ clientId: id, id: `key_${ulid()}`, kind: 'secret', hash, hint: 'ench', createdAt: at });
  const endpoint = { url: 'http://127.0.0.1:9/', enabled: true, secretSealed: Buffer.from('whsec') };
  await source.getRepository(Endpoint).save({ clientId: id, id: `we_${ulid()}`, ...endpoint, ...times });
  return apiKey;
}

const app = await NestFactory.create(NaiveModule, { logger: ['error'] });
app.useGlobalPipes(new ValidationPipe({ whitelist: true, forbidNonWhitelisted: true, transform: true }));
const apiKey = await createMerchant(app.get(DataSource));
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
console.log(`ready ${await app.getUrl()} ${apiKey}`);
