import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';

import { routeRules } from '../platform/http/route-rules.js';
import type { Caller, KeyKind } from './caller.js';

/** Who may call a route. One that says nothing stops the start: nothing is open by oversight. */
export type Access = { kind: 'open' } | { kind: 'keys'; kinds: readonly KeyKind[]; admin: boolean };

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** Each call counts against the key's executes per minute. */
    countsAsExecute?: boolean;
  }
  interface FastifyRequest {
    caller?: Caller;
    isAdmin?: boolean;
  }
}

/** For keys of these kinds; others are refused with 403. On a class: for its routes that say nothing themselves. */
export function Auth(...kinds: KeyKind[]): MethodDecorator & ClassDecorator {
  return access({ kind: 'keys', kinds, admin: false });
}

/** For the operator, by `X-ADMIN-KEY`. */
export function AdminOnly(): MethodDecorator & ClassDecorator {
  return access({ kind: 'keys', kinds: [], admin: true });
}

/** For the operator, or for a client about itself: the route must then check whose ids it is asked for. */
export function AdminOr(...kinds: KeyKind[]): MethodDecorator & ClassDecorator {
  return access({ kind: 'keys', kinds, admin: true });
}

/** For everybody, without a key. */
export function Open(): MethodDecorator & ClassDecorator {
  return access({ kind: 'open' });
}

/** Each call takes one of the key's executes per minute, before its body is read; 429 when there is none left. */
export function CountsAsExecute(): MethodDecorator {
  return routeRules({ countsAsExecute: true });
}

/** Who calls. @throws when the route admits callers without a client's key. */
export const CallerParam = createParamDecorator((_: unknown, context: ExecutionContext): Caller => {
  const { caller } = context.switchToHttp().getRequest<FastifyRequest>();
  if (!caller) throw new Error('the route takes a caller, but admits requests without one');
  return caller;
});

/** Who calls, or null for the operator. */
export const MaybeCaller = createParamDecorator(
  (_: unknown, context: ExecutionContext): Caller | null =>
    context.switchToHttp().getRequest<FastifyRequest>().caller ?? null,
);

// The key under which Nest keeps a handler's path: what has none is no route.
const NEST_PATH = 'path';
const DECLARED = Symbol('access declared');

function access(rule: Access): MethodDecorator & ClassDecorator {
  return (target: object, property?: string | symbol, descriptor?: PropertyDescriptor) => {
    if (property !== undefined && descriptor) declare(rule, target, property, descriptor);
    else declareForClass(rule, (target as { prototype: object }).prototype);
  };
}

function declareForClass(rule: Access, prototype: object): void {
  for (const property of Object.getOwnPropertyNames(prototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(prototype, property);
    const handler: unknown = descriptor?.value;
    if (!descriptor || typeof handler !== 'function' || !Reflect.hasMetadata(NEST_PATH, handler)) continue;
    if (!Reflect.hasMetadata(DECLARED, handler)) declare(rule, prototype, property, descriptor);
  }
}

function declare(rule: Access, target: object, property: string | symbol, descriptor: PropertyDescriptor): void {
  Reflect.defineMetadata(DECLARED, true, descriptor.value as object);
  routeRules({ access: rule })(target, property, descriptor);
}
