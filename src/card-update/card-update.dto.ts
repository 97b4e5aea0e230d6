import { Text } from '../platform/http/fields.js';
import { URL_LENGTH_MAX } from '../platform/egress/url-rules.js';

export class GenerateBody {
  @Text({
    max: 255,
    required: true,
    pattern: /^[\x21-\x7e]+$/,
    accepted: "the gateway's own token: 1 to 255 printable characters",
  })
  paymentMethodToken!: string;

  @Text({ max: 26, pattern: /^[0-9A-HJKMNP-TV-Z]{26}$/, accepted: 'a transactionId' })
  transactionId?: string;

  @Text({ max: URL_LENGTH_MAX })
  returnUrl?: string;
}

/** What the gateway puts on the way back from its page. */
export class ReturnQuery {
  @Text({ max: 255 })
  session_id?: string;
}
