import { RouteConfig } from '@nestjs/platform-fastify';
import type { FastifyContextConfig } from 'fastify';

/** What a route says about itself; read by hooks that run before its body is. Rooms add their own by declaration merging. */
declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bytes; 64 KiB unless given. */
    bodyBytesMax?: number;
    /** A list in the body whose members the route guards itself, each for itself: one refused must not refuse the others. */
    guardedApart?: string;
    /** The body stays a Buffer of any content type, for whoever proves its signature before parsing it. */
    rawBodyOnly?: boolean;
  }
  interface FastifyRequest {
    /** The bytes the body was read from. */
    rawBody?: Buffer;
  }
}

const RULES = Symbol('route rules');

/** Adds to what a route says about itself. Nest keeps one such object a route, so the parts are gathered first. */
export function routeRules(part: FastifyContextConfig): MethodDecorator {
  return (target, property, descriptor: PropertyDescriptor) => {
    const handler = descriptor.value as object;
    const gathered = { ...(Reflect.getMetadata(RULES, handler) as FastifyContextConfig | undefined), ...part };
    Reflect.defineMetadata(RULES, gathered, handler);
    RouteConfig(gathered)(target, property, descriptor);
  };
}

/** Lets a route take larger bodies. */
export function BodyBytesMax(bytes: number): MethodDecorator {
  return routeRules({ bodyBytesMax: bytes });
}

/**
 * Leaves the members of one list of the body to the route, which owes each of them `guardText` before it reads, stores
 * or logs anything of it.
 */
export function GuardsItself(list: string): MethodDecorator {
  return routeRules({ guardedApart: list });
}

/** Leaves the body unparsed and takes any content type: for inbound webhooks. */
export function RawBodyOnly(): MethodDecorator {
  return routeRules({ rawBodyOnly: true });
}
