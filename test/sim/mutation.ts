import { register } from 'node:module';

/** A planted bug: text of the product, or of a simulated port, that this thread loads changed. */
export interface Mutation {
  name: string;
  /** Path from the root of the checkout. */
  file: string;
  find: string;
  put: string;
}

/** Everything that this thread loads from now on is as the mutation has it. */
export function plant(mutation: Mutation): void {
  register('./mutation-hooks.mjs', import.meta.url, { data: mutation });
}
