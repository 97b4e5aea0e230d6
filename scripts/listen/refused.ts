/** Something that the person who runs this can mend: told in one line that says how. */
export class Refused extends Error {
  constructor(
    message: string,
    /** What Revtain answered, where it did. */
    readonly status: number | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
