import type { Ids } from '../ids.js';
import { holdsCardNumber } from './card-number.js';

const SANE = /^[A-Za-z0-9._:-]{1,128}$/;

/** The caller's own id where it is one that may stand in a log, else one of ours. */
export function requestIdFor(given: string | string[] | undefined, ids: Ids): string {
  return typeof given === 'string' && SANE.test(given) && !holdsCardNumber(given) ? given : ids.ulid();
}
