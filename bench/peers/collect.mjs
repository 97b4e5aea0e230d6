// What a job of the peers does with one recovery: the same rows and the same calls as the engine's retry of a debt that was
// never charged, by the same client of the gateway, written as one writes it: statement by statement, in two transactions.
// The event is told in the same bytes, and the timeline is linked by the same chainer, behind the writers.
import pg from 'pg';

import { AuditKeys } from '../../dist/audit/audit-keys.js';
import { Chainer } from '../../dist/audit/chainer.js';
import { eventFacts } from '../../dist/engine/event-composer.js';
import { recoveryFromRow } from '../../dist/engine/recovery.js';
import { tokenIdentity } from '../../dist/engine/token-identity.js';
import { GatewayRegistry, TestGatewayAddress } from '../../dist/gateways/registry.js';
import { BackgroundWorks } from '../../dist/platform/background-work.js';
import { SystemClock } from '../../dist/platform/clock.js';
import { Vault } from '../../dist/platform/crypto/vault.js';
import { Database } from '../../dist/platform/db/database.js';
import { Ids } from '../../dist/platform/ids.js';
import { Log } from '../../dist/platform/logging/log.js';
import { SystemRandom } from '../../dist/platform/random.js';
import { composeEvent } from '../../dist/webhooks/event-body.js';

const OPTIONS = { timeoutMs: 20_000 };

export function openCollector({ databaseUrl, masterKey, stub, secretKey, connections }) {
  const clock = new SystemClock();
  const random = new SystemRandom();
  const ids = new Ids(clock, random);
  const pool = new pg.Pool({ connectionString: databaseUrl, max: connections });
  pool.on('error', (error) => console.error(error.message));
  pool.on('connect', (client) => client.on('error', () => undefined));
  const vault = new Vault(Buffer.from(masterKey, 'base64'), [], random);
  const registry = new GatewayRegistry(clock, new TestGatewayAddress(), { stripeApiBase: stub });
  const gateway = registry.gatewayFor({ provider: 'stripe' });
  const database = Database.connect(databaseUrl, 1);
  const works = new BackgroundWorks();
  const chainer = new Chainer(database, new AuditKeys(vault), clock, new Log('warn'), works);
  chainer.start();

  async function collect({ clientId, id }) {
    const { rows } = await pool.query({
      name: 'load',
      text: 'SELECT * FROM recoveries WHERE client_id = $1 AND id = $2',
      values: [clientId, id],
    });
    const recovery = rows[0];
    if (!recovery || recovery.state !== 'queued') return;
    const account = { clientId, provider: 'stripe', secretKey };
    const amountMinor = Number(recovery.amount_minor);
    const created = await gateway.createPayment(
      account,
      {
        amountMinor,
        currency: recovery.currency,
        customerId: recovery.gateway_customer_id,
        metadata: { revtainTransactionId: id, reference: recovery.reference },
        idempotencyKey: `${id}:payment:0`,
      },
      OPTIONS,
    );
    const paymentId = created.value.id;
    const attemptId = ids.prefixed('att');
    await inTransaction((client) => opened(client, recovery, attemptId, paymentId));
    const paymentMethodToken = vault.open(recovery.token_sealed, tokenIdentity({ clientId, id }));
    const target = { kind: 'payment', paymentId, returnUrl: null };
    const idempotencyKey = `${id}:${attemptId}`;
    const charged = await gateway.charge(account, { target, paymentMethodToken, idempotencyKey }, OPTIONS);
    if (charged.kind !== 'succeeded') throw new Error(`the bench charges cards that work, not ${charged.kind}`);
    await inTransaction((client) => settled(client, recovery, attemptId, paymentId));
  }

  async function inTransaction(work) {
    const client = await pool.connect();
    try {
      await client.query('BEGIN');
      await work(client);
      await client.query('COMMIT');
    } catch (error) {
      await client.query('ROLLBACK');
      throw error;
    } finally {
      client.release();
    }
  }

  async function opened(client, recovery, attemptId, paymentId) {
    const now = clock.now();
    const { client_id: clientId, id } = recovery;
    await client.query({
      name: 'open_recovery',
      text: `UPDATE recoveries SET state = 'in_progress', sequence = sequence + 1, payment_object_id = $3,
               payment_object_kind = 'payment', payment_is_ours = true, attempts_opened = 1, attempt_count = 1,
               due_at = $4, due_kind = 'settle', updated_at = $4 WHERE client_id = $1 AND id = $2`,
      values: [clientId, id, paymentId, now],
    });
    await client.query({
      name: 'open_attempt',
      text: `INSERT INTO attempts (client_id, id, recovery_id, number, round, trigger, strategy, amount_minor, currency,
               token_hash, card_fingerprint, payment_object_id, gateway_key, witness, opened_at, sent_at)
             VALUES ($1, $2, $3, 1, 1, 'initial', 'primary', $4, $5, $6, $7, $8, $9, $10, $11, $11)`,
      values: [
        clientId,
        attemptId,
        id,
        recovery.amount_minor,
        recovery.currency,
        recovery.token_hash,
        recovery.card_fingerprint,
        paymentId,
        `${id}:${attemptId}`,
        JSON.stringify({ paymentId }),
        now,
      ],
    });
    const amount = Number(recovery.amount_minor);
    const rule = { name: 'trigger:initial', source: 'docs/decisions.md' };
    const inputs = { attemptId, number: 1, strategy: 'primary', amount };
    await step(client, recovery, {
      after: 1,
      at: now,
      type: 'charge_opened',
      from: 'queued',
      to: 'in_progress',
      rule,
      inputs,
    });
  }

  async function settled(client, recovery, attemptId, paymentId) {
    const now = clock.now();
    const { client_id: clientId, id } = recovery;
    const eventId = ids.prefixed('evt');
    await client.query({
      name: 'end_attempt',
      text: `UPDATE attempts SET outcome = 'succeeded', ended_at = $3, gateway_transaction_token = $4
             WHERE client_id = $1 AND id = $2`,
      values: [clientId, attemptId, now, paymentId],
    });
    await client.query({
      name: 'end_recovery',
      text: `UPDATE recoveries SET state = 'succeeded', sequence = sequence + 1, due_at = NULL, due_kind = NULL,
               trigger = 'initial', recovered_at = $3, updated_at = $3, gateway_transaction_token = $4, final_event_id = $5
             WHERE client_id = $1 AND id = $2`,
      values: [clientId, id, now, paymentId, eventId],
    });
    const rule = { name: 'succeeded', source: 'the gateway said so' };
    const inputs = { attemptId, outcome: 'succeeded' };
    await step(client, recovery, {
      after: 2,
      at: now,
      type: 'recovered',
      from: 'in_progress',
      to: 'succeeded',
      rule,
      inputs,
    });
    const sequence = Number(recovery.sequence) + 2;
    await client.query({
      name: 'tell',
      text: `INSERT INTO webhook_events (client_id, id, recovery_id, type, is_default, sequence, final, body, created_at)
             VALUES ($1, $2, $3, 'recovery.success', true, $4, true, $5, $6)`,
      values: [clientId, eventId, id, sequence, bodyOf(recovery, { eventId, sequence, paymentId, now }), now],
    });
    const endpoints = await client.query({
      name: 'endpoints',
      text: 'SELECT id FROM webhook_endpoints WHERE client_id = $1 AND enabled AND deleted_at IS NULL',
      values: [clientId],
    });
    for (const endpoint of endpoints.rows) {
      await client.query({
        name: 'deliver',
        text: `INSERT INTO webhook_deliveries (client_id, id, event_id, endpoint_id, recovery_id, event_sequence, status,
                 next_try_at, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, 'pending', $7, $7, $7)`,
        values: [clientId, ids.prefixed('dlv'), eventId, endpoint.id, id, sequence, now],
      });
    }
  }

  function step(client, recovery, { after, at, type, from, to, rule, inputs }) {
    const told = JSON.stringify({ ...inputs, source: rule.source });
    return client.query({
      name: 'step',
      text: `INSERT INTO recovery_events (client_id, recovery_id, sequence, at, type, from_state, to_state, rule, inputs, actor)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'engine')`,
      values: [recovery.client_id, recovery.id, Number(recovery.sequence) + after, at, type, from, to, rule.name, told],
    });
  }

  const close = async () => {
    await chainer.stop();
    await database.close();
    await registry.onApplicationShutdown();
    await pool.end();
  };
  return { collect, pool, close };
}

function bodyOf(row, { eventId, sequence, paymentId, now }) {
  const ended = { state: 'succeeded', trigger: 'initial', attemptCount: 1, gatewayTransactionToken: paymentId };
  const recovery = { ...recoveryFromRow(row), ...ended, message: 'The payment was collected.' };
  const facts = eventFacts(recovery, 0, false);
  return composeEvent({ ...facts, id: eventId, type: 'recovery.success', createdAt: now, sequence }).body;
}
