/** The machine's time. The only place of this package that reads it; every function that needs it takes `now` as well. */
export function systemNow(): Date {
  return new Date();
}
