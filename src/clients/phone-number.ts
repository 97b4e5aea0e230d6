import { parsePhoneNumberFromString } from 'libphonenumber-js/min';

const E164 = /^\+[1-9]\d{6,14}$/;

/**
 * True for a number in E.164 whose length its country allows. Whether it is assigned is not asked: those tables change
 * with each release, and a number that was taken yesterday must not be refused today.
 */
export function isPhoneNumber(text: string): boolean {
  return E164.test(text) && (parsePhoneNumberFromString(text)?.isPossible() ?? false);
}
