/** The inside of Stripe's error envelope. Null and absent fields are both left out of the answer. */
export interface ErrorFields {
  type: 'invalid_request_error' | 'card_error' | 'idempotency_error' | 'api_error';
  message: string;
  code?: string;
  decline_code?: string;
  advice_code?: string;
  network_advice_code?: string;
  network_decline_code?: string;
  param?: string;
  charge?: string;
  payment_intent?: object;
  payment_method?: object;
  doc_url?: string;
  request_log_url?: string;
}

/**
 * A request the gateway does not carry out. Nothing of it is stored, except the refusal itself under its idempotency
 * key when execution had begun (`executed`).
 * @see https://docs.stripe.com/api/idempotent_requests
 */
export class StripeRefusal extends Error {
  constructor(
    readonly status: number,
    readonly fields: ErrorFields,
    readonly executed = false,
  ) {
    super(fields.message);
  }
}

/** 400: the parameters are wrong; found before execution, so never stored under the key. */
export function invalidRequest(message: string, more: Partial<ErrorFields> = {}): StripeRefusal {
  return new StripeRefusal(400, { type: 'invalid_request_error', message, ...more });
}

/** 400: the object is in a state that does not allow this; execution had begun, so it is stored under the key. */
export function wrongState(message: string, more: Partial<ErrorFields> = {}): StripeRefusal {
  return new StripeRefusal(400, { type: 'invalid_request_error', message, ...more }, true);
}

/** 404 for an id in the path, 400 for one in a parameter: as Stripe tells them apart. */
export function noSuch(noun: string, id: string, param?: string): StripeRefusal {
  const fields = { code: 'resource_missing', param: param ?? 'id' };
  return new StripeRefusal(param === undefined ? 404 : 400, {
    type: 'invalid_request_error',
    message: `No such ${noun}: '${id}'`,
    ...fields,
  });
}

/** 401: no key, or none we know. */
export function unauthorized(message: string): StripeRefusal {
  return new StripeRefusal(401, { type: 'invalid_request_error', message });
}

/** 403: the key is none of ours, or its platform may not act for that account (any more). */
export function accountInvalid(account: string): StripeRefusal {
  return new StripeRefusal(403, {
    type: 'invalid_request_error',
    code: 'account_invalid',
    message:
      `The provided key does not have access to account '${account}' (or that account does not exist). ` +
      'Application access may have been revoked.',
  });
}

/** The envelope on the wire. */
export function envelope(fields: ErrorFields): { error: ErrorFields } {
  const docs =
    fields.code === undefined ? {} : { doc_url: `https://stripe.com/docs/error-codes/${dashed(fields.code)}` };
  return { error: { ...docs, ...fields } };
}

function dashed(code: string): string {
  return code.replaceAll('_', '-');
}
