import { Writable } from 'node:stream';

import { Body, Controller, Get, HttpCode, Module, Param, Post, Query, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import 'reflect-metadata';

import { SystemClock } from '../../src/platform/clock.js';
import { CommitOutcomeUnknown } from '../../src/platform/db/database.js';
import { conflict } from '../../src/platform/http/domain-error.js';
import { Integer, Text, TextList } from '../../src/platform/http/fields.js';
import { createHttpAdapter, prepareHttpApp } from '../../src/platform/http/http-app.js';
import { BodyBytesMax, RawBodyOnly } from '../../src/platform/http/route-rules.js';
import { Ids } from '../../src/platform/ids.js';
import { Log } from '../../src/platform/logging/log.js';
import { SystemRandom } from '../../src/platform/random.js';

export const CARD = '4242424242424242';

class PolicyBody {
  @Integer({ min: 1, max: 8 })
  attemptsMax?: number;
}

class ThingBody {
  @Text({ max: 10, required: true })
  token!: string;

  @Integer({ min: 50, max: 100, required: true })
  amount!: number;

  @TextList({ max: 2, each: { max: 3 } })
  list?: string[];
}

class ThingQuery {
  @Integer({ min: 1, max: 200 })
  limit: number = 50;

  @Text({ max: 40 })
  from?: string;
}

@Controller('things')
class ThingsController {
  @Post()
  @HttpCode(200)
  make(@Body() body: ThingBody, @Req() { rawBody }: FastifyRequest): object {
    return { body, rawBytes: rawBody?.length };
  }

  @Post('act')
  @HttpCode(200)
  act(@Body() body: PolicyBody): object {
    return { body };
  }

  @Post('large')
  @HttpCode(200)
  @BodyBytesMax(100_000)
  large(): object {
    return {};
  }

  @Post('raw')
  @HttpCode(200)
  @RawBodyOnly()
  raw(@Body() body: Buffer): object {
    return { bytes: body.length };
  }

  @Get()
  list(@Query() query: ThingQuery): object {
    return { query };
  }

  @Get('conflict')
  conflict(): never {
    throw conflict('duplicate', 'It is there.', { existingStatus: 'queued' });
  }

  @Get('bug')
  bug(): never {
    throw new Error(`no such thing for ${CARD} and secret pm_1`);
  }

  @Get('database-down')
  databaseDown(): never {
    throw new CommitOutcomeUnknown(new Error('gone'));
  }

  @Get('one/:id')
  one(@Param('id') id: string): object {
    return { id };
  }
}

@Module({ controllers: [ThingsController] })
class ThingsModule {}

/** The HTTP shell around a room of no domain, without a database. Its log goes to `lines`. */
export async function startThings(lines: string[]): Promise<NestFastifyApplication> {
  const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
  const clock = new SystemClock();
  const parts = { log: new Log('debug', sink), clock, ids: new Ids(clock, new SystemRandom()) };
  const options = { bodyParser: false, logger: false } as const;
  const app = await NestFactory.create<NestFastifyApplication>(ThingsModule, createHttpAdapter(parts), options);
  prepareHttpApp(app, parts, () => undefined);
  await app.listen(0, '127.0.0.1');
  return app;
}
