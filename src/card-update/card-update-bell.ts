import { Injectable } from '@nestjs/common';

import { WakeableSleep } from '../platform/wakeable-sleep.js';

/** The worker's sleep, rung by whoever has taken a card in this process. */
@Injectable()
export class CardUpdateBell extends WakeableSleep {}
