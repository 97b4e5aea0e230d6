import type { ClientSettings } from '../clients/client-settings.js';
import { FORCED_FAILURE_AMOUNT } from '../engine/event-composer.js';
import { badFields, type FieldProblem } from '../platform/http/domain-error.js';
import { validateAmount } from '../recovery/money.js';
import { validatePolicyRequest } from '../recovery/policy.js';
import { CURRENCY_ACCEPTED, type ExecuteRequest } from './execute-request.js';
import { failedAtOf, policyOf } from './new-recovery.js';

/** What no single field can tell: bounds that hang on the client, the currency or the time. @throws {DomainError} 400 */
export function checkRequest(client: ClientSettings, request: ExecuteRequest, now: Date): void {
  const problems = requestProblems(client, request, now);
  if (problems.length > 0) throw badFields(problems);
}

/** What `checkRequest` refuses; empty when nothing. */
export function requestProblems(client: ClientSettings, request: ExecuteRequest, now: Date): FieldProblem[] {
  return [
    ...simulationProblems(client, request),
    ...amountProblems(client, request),
    ...validatePolicyRequest(policyOf(request), failedAtOf(request), now).map((each) => namedAsSent(each, request)),
  ];
}

/** The failed charge's time may have come with the newest of `priorAttempts`: then that one's is the field to mend. */
function namedAsSent(problem: FieldProblem, request: ExecuteRequest): FieldProblem {
  if (problem.field !== 'originalFailedAt' || request.originalFailedAt !== undefined) return problem;
  const failedMs = failedAtOf(request)?.getTime();
  const index = (request.priorAttempts ?? []).findIndex(({ at }) => new Date(at).getTime() === failedMs);
  return { ...problem, field: `priorAttempts[${index}].at` };
}

function simulationProblems(client: ClientSettings, { simulateOutcome }: ExecuteRequest): FieldProblem[] {
  if (simulateOutcome === undefined || client.gatewayProvider === 'test') return [];
  return [
    {
      field: 'simulateOutcome',
      code: 'simulation_refused',
      message: 'outcomes can be simulated on the test gateway only',
      accepted: 'nothing, on this client',
    },
  ];
}

function amountProblems(client: ClientSettings, { amount, currency }: ExecuteRequest): FieldProblem[] {
  if (amount === FORCED_FAILURE_AMOUNT && client.gatewayProvider === 'test') return [];
  const checked = validateAmount(amount, (currency ?? client.defaultCurrency).toUpperCase());
  if (checked.kind === 'ok') return [];
  const { field, code, message } = checked;
  // The table of amounts knows capitals only; of a request either case is taken.
  return [{ field, code, message, accepted: field === 'currency' ? CURRENCY_ACCEPTED : checked.accepted }];
}
