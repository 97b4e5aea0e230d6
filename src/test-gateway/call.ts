import type { Params } from './params.js';
import type { Reply } from './reply.js';
import type { UnitOfWork } from './unit-of-work.js';

/** One request, ready to be carried out: authorised, and neither a replay nor running elsewhere. */
export interface Call {
  uow: UnitOfWork;
  params: Params;
  /** The id in the path; empty where the path has none. */
  id: string;
}

export type Handler = (call: Call) => Promise<Reply>;
