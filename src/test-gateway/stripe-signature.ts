import { createHmac } from 'node:crypto';

/**
 * The `Stripe-Signature` header for a delivery: the time of this try and an HMAC-SHA256 over time and raw body.
 * @param secret the whole `whsec_…` text.
 * @see https://docs.stripe.com/webhooks/signature
 */
export function stripeSignature(secret: string, body: string, at: Date): string {
  const seconds = Math.floor(at.getTime() / 1000);
  const hex = createHmac('sha256', secret).update(`${seconds}.${body}`).digest('hex');
  return `t=${seconds},v1=${hex}`;
}
