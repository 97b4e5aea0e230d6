import Stripe from 'stripe';

import { STRIPE_API_VERSION } from '../src/gateways/stripe/client.js';
import { safeMessage } from '../src/gateways/stripe/classify.js';
import { Refused } from './listen/refused.js';
import { readOptions, type Options } from './stripe-setup/options.js';
import { KeyRefused } from './stripe-setup/permissions.js';
import { setUp } from './stripe-setup/setup.js';

function stripeOf({ stripeKey, stripeApi }: Options): Stripe {
  const protocol = stripeApi.protocol === 'http:' ? 'http' : 'https';
  const port = stripeApi.port === '' ? (protocol === 'http' ? '80' : '443') : stripeApi.port;
  return new Stripe(stripeKey, {
    apiVersion: STRIPE_API_VERSION,
    ...{ host: stripeApi.hostname, port, protocol },
    maxNetworkRetries: 2,
    telemetry: false,
  });
}

try {
  const options = readOptions(process.argv.slice(2));
  if (typeof options === 'string') console.log(options);
  else await setUp(options, stripeOf(options), (line) => console.log(line));
} catch (error) {
  const isTold = error instanceof Refused || error instanceof KeyRefused || error instanceof Stripe.errors.StripeError;
  if (!isTold) throw error;
  console.error(safeMessage(error.message));
  process.exitCode = 1;
}
