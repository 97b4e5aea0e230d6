import { Injectable, type ArgumentMetadata, type PipeTransform } from '@nestjs/common';

import { accept, checkFields, checkQuery } from './check-fields.js';
import { badFields } from './domain-error.js';
import { EmptyBody } from './empty-body.js';
import { type FieldClass, rulesOf } from './field-rules.js';

/**
 * Checks every `@Body()` and `@Query()` whose parameter is a class with declared fields. A body that was not sent is an
 * empty object, so that what it lacks is named, and an action without required fields needs none.
 */
@Injectable()
export class FieldsPipe implements PipeTransform {
  transform(value: unknown, { type, metatype, data }: ArgumentMetadata): unknown {
    if ((type !== 'body' && type !== 'query') || data !== undefined || !metatype) return value;
    const shape = metatype as FieldClass;
    if (shape === EmptyBody) return refuseFields(value);
    if (rulesOf(shape).size === 0) return value;
    if (type === 'query') return accept(checkQuery(shape, { ...(value as object) }));
    return accept(checkFields(shape, value === undefined ? {} : value));
  }
}

/** @throws {DomainError} 400 naming every field that was sent. */
function refuseFields(body: unknown): EmptyBody {
  const names = typeof body === 'object' && body !== null ? Object.keys(body) : [];
  if (names.length === 0) return new EmptyBody();
  const said = { code: 'unknown_field', message: 'is not known here', accepted: 'no field at all' };
  throw badFields(names.map((field) => ({ field, ...said })));
}
