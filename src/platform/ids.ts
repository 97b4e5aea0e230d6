import { Injectable } from '@nestjs/common';
import { monotonicFactory, type ULIDFactory } from 'ulid';

import { Clock } from './clock.js';
import { Random } from './random.js';

/** What an id names: client, event, delivery, endpoint, attempt, incident, replay, API key, card-update link. */
export type IdPrefix = 'cli' | 'evt' | 'dlv' | 'we' | 'att' | 'inc' | 'rpl' | 'key' | 'cul';

/** Makes every id the product gives out. They sort by the time they were made. */
@Injectable()
export class Ids {
  private readonly next: ULIDFactory;

  constructor(
    private readonly clock: Clock,
    random: Random,
  ) {
    this.next = monotonicFactory(() => random.fraction());
  }

  /**
   * A ULID: 26 characters of Crockford's base 32, greater than every one this object gave before, even within one
   * millisecond or after the clock was set back.
   * @see https://github.com/ulid/spec
   */
  ulid(): string {
    return this.next(this.clock.now().getTime());
  }

  /** A ULID that says what it names, such as `cli_01K…`. */
  prefixed(prefix: IdPrefix): string {
    return `${prefix}_${this.ulid()}`;
  }
}
