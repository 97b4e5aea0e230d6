import type { StoredAnswer } from '../engine/change.js';
import { executeBody } from '../engine/presenter.js';
import type { Recovery } from '../engine/recovery.js';
import { answerStatus } from '../recovery/lifecycle.js';
import { encodeAnswer } from './answer.js';

/** The finished answer of a call, as its key keeps it. */
export function storedAnswer(key: string, recovery: Recovery): StoredAnswer {
  const { status, body } = encodeAnswer(answerStatus(recovery.state), executeBody(recovery));
  return { key, statusCode: status, body };
}

/** Binds the key to its recovery while the charge is on the wire. */
export function boundKey(key: string): StoredAnswer {
  return { key, statusCode: null, body: null };
}
