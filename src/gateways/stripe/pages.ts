import type Stripe from 'stripe';

import { UnreadableReply } from './classify.js';

/** What is added to a list's parameters to get its next page. The limit is the most that Stripe gives in one. */
export interface PageParams {
  limit: 100;
  starting_after?: string;
}

/**
 * All of a list, page after page, each under a time limit of its own making: `list` asks for one.
 * @throws {UnreadableReply} for a list that says it goes on and does not: half of it must not be taken for the whole.
 */
export async function allPages<T extends { id: string }>(
  list: (page: PageParams) => Promise<Stripe.ApiList<T>>,
): Promise<T[]> {
  const all: T[] = [];
  for await (const each of pages(list)) all.push(each);
  return all;
}

/** As `allPages`, each of them as soon as its page is there. */
export async function* pages<T extends { id: string }>(
  list: (page: PageParams) => Promise<Stripe.ApiList<T>>,
): AsyncGenerator<T> {
  let after: string | undefined;
  do {
    const page = await list({ limit: 100, ...(after === undefined ? {} : { starting_after: after }) });
    yield* page.data;
    after = nextCursor(page, after);
  } while (after !== undefined);
}

function nextCursor(page: Stripe.ApiList<{ id: string }>, before: string | undefined): string | undefined {
  if (!page.has_more) return undefined;
  const last = page.data.at(-1)?.id;
  if (last === undefined || last === before) throw new UnreadableReply('a list that does not go on');
  return last;
}
