import 'reflect-metadata';

import { Controller, Headers, HttpCode, HttpException, Module, Post, Req, type RawBodyRequest } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import type { Request } from 'express';
import Stripe from 'stripe';
import { Column, Entity, PrimaryColumn, type Repository } from 'typeorm';

/** As many connections as the service it is measured against has by default. */
const CONNECTIONS_MAX = 10;
const SECRET = process.env.STRIPE_WEBHOOK_SECRET ?? '';

@Entity('stripe_events')
class StripeEvent {
  @PrimaryColumn({ type: 'text' })
  id!: string;

  @Column({ type: 'text' })
  type!: string;

  @Column({ type: 'jsonb' })
  body!: object;

  @Column({ type: 'timestamptz' })
  receivedAt!: Date;
}

/** A receiver as Nest's and Stripe's guides show it: verify, insert once, answer. */
@Controller()
class ReceiverController {
  constructor(@InjectRepository(StripeEvent) private readonly events: Repository<StripeEvent>) {}

  @Post('webhooks/stripe')
  @HttpCode(200)
  async receive(
    @Req() request: RawBodyRequest<Request>,
    @Headers('stripe-signature') signature: string,
  ): Promise<object> {
    const event = verified(request.rawBody, signature);
    await this.events
      .createQueryBuilder()
      .insert()
      .values({ id: event.id, type: event.type, body: event, receivedAt: new Date() })
      .orIgnore()
      .execute();
    return { received: true };
  }
}

function verified(body: Buffer | undefined, signature: string): Stripe.Event {
  try {
    return stripe.webhooks.constructEvent(body ?? '', signature, SECRET);
  } catch {
    throw new HttpException('bad signature', 400);
  }
}

@Module({
  imports: [
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env.DATABASE_URL ?? '',
      entities: [StripeEvent],
      synchronize: true,
      extra: { max: CONNECTIONS_MAX },
    }),
    TypeOrmModule.forFeature([StripeEvent]),
  ],
  controllers: [ReceiverController],
})
class ReceiverModule {}

const stripe = new Stripe('sk_test_bench');
const app = await NestFactory.create(ReceiverModule, { logger: ['error'], rawBody: true });
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
console.log(`ready ${await app.getUrl()}`);
