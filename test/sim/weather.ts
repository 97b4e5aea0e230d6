import type { Dice } from './dice.js';
import type { Weather } from './faults.js';

const LOSSY: Weather = {
  gateway_request_lost: 0.06,
  gateway_reply_lost: 0.1,
  gateway_request_late: 0.04,
  gateway_request_repeated: 0.1,
  gateway_slow: 0.1,
};
const BROKEN: Weather = {
  gateway_5xx_not_executed: 0.06,
  gateway_5xx_executed: 0.06,
  gateway_5xx_executed_later: 0.06,
  gateway_rate_limited: 0.05,
  gateway_status_unmapped: 0.03,
  gateway_reply_lost: 0.03,
};
const DATABASE: Weather = { db_unreachable: 0.01, db_cut_before_commit: 0.01, db_cut_after_commit: 0.02 };
const PROCESSES: Weather = { process_killed: 0.02, process_killed_in_charge: 0.25, process_stopped: 0.02 };
const RECEIVERS: Weather = {
  receiver_answers_5xx: 0.25,
  receiver_asks_for_patience: 0.1,
  receiver_out_of_reach: 0.15,
  receiver_took_it_silently: 0.12,
  receiver_slow: 0.15,
  receiver_gone: 0.004,
};
/** Never quite calm: what every world has a little of. */
const BREEZE: Weather = {
  gateway_reply_lost: 0.01,
  gateway_request_lost: 0.01,
  process_killed_in_charge: 0.02,
  receiver_answers_5xx: 0.02,
};

/** What kind of trouble a world has. */
export function drawWeather(dice: Dice): Weather {
  return dice.weighted([
    [3, BREEZE],
    [2, { ...BREEZE, ...LOSSY }],
    [2, { ...BREEZE, ...BROKEN }],
    [2, { ...BREEZE, ...DATABASE }],
    [2, { ...BREEZE, ...PROCESSES }],
    [1, { ...BREEZE, ...RECEIVERS }],
    [2, { ...RECEIVERS, ...LOSSY, ...BROKEN, ...DATABASE, ...PROCESSES }],
  ]);
}
