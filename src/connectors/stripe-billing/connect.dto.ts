import { Text } from '../../platform/http/fields.js';

export class ClientQuery {
  @Text({ max: 30, pattern: /^cli_[0-9A-HJKMNP-TV-Z]{26}$/, accepted: "a client's id" })
  clientId?: string;
}

/** What Stripe puts on the way back. @see https://docs.stripe.com/connect/oauth-reference#get-authorize-response */
export class CallbackQuery {
  @Text({ max: 255 })
  state?: string;

  @Text({ max: 255 })
  code?: string;

  @Text({ max: 255 })
  scope?: string;

  @Text({ max: 255 })
  error?: string;

  @Text({ max: 2_000 })
  error_description?: string;
}
