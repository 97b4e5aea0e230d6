// What was thrown is asked for its shape and not by instanceof: an error from another realm, as Node's own are under
// jest, is no instance of this realm's Error.

/** Whether an error of Node or of PostgreSQL carries one of these codes. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return isObject(error) && typeof error['code'] === 'string' && codes.includes(error['code']);
}

/** The message of an error, or whatever else was thrown as text. */
export function messageOf(error: unknown): string {
  return isObject(error) && typeof error['message'] === 'string' ? error['message'] : String(error);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
