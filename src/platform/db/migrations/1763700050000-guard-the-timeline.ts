import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Lets the database refuse what the code must never write: a step that the lifecycle does not know, a gap in a timeline, a
 * state that moves without a step. New rows only; the next migration looks at the others.
 */
export class GuardTheTimeline1763700050000 implements MigrationInterface {
  readonly name = 'GuardTheTimeline1763700050000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(LEGAL_STEPS);
    await runner.query(STEPS_FOLLOW);
    await runner.query(ROWS_MOVE_BY_STEPS);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER recoveries_move_by_steps ON recoveries;
      DROP FUNCTION refuse_move();
      ALTER TABLE recovery_events ADD CONSTRAINT recovery_events_client_id_recovery_id_fkey
        FOREIGN KEY (client_id, recovery_id) REFERENCES recoveries (client_id, id);
      DROP TRIGGER recovery_events_follow ON recovery_events;
      DROP FUNCTION refuse_gap();
      ALTER TABLE recovery_events DROP CONSTRAINT recovery_events_legal`);
  }
}

// The table of src/recovery/lifecycle.ts; a spec holds the two together. A step that stays in its state is a note.
const LEGAL_STEPS = `
  ALTER TABLE recovery_events ADD CONSTRAINT recovery_events_legal CHECK (
    (sequence = 1) = (from_state IS NULL) AND
    CASE
      WHEN from_state IS NULL THEN to_state IN
        ('queued', 'in_progress', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled', 'holdout')
      WHEN from_state = to_state THEN true
      WHEN from_state = 'queued' THEN to_state IN
        ('in_progress', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled', 'holdout')
      WHEN from_state = 'in_progress' THEN to_state IN
        ('queued', 'reconciling', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled')
      WHEN from_state = 'reconciling' THEN to_state IN
        ('queued', 'in_progress', 'action_required', 'succeeded', 'failed', 'blocked', 'cancelled')
      WHEN from_state = 'action_required' THEN to_state IN ('queued', 'in_progress', 'succeeded', 'failed', 'cancelled')
      WHEN from_state IN ('failed', 'blocked', 'cancelled', 'holdout') THEN to_state IN ('queued', 'in_progress', 'succeeded')
      ELSE false
    END) NOT VALID`;

// Gap-free by induction: each step finds the one before it, and it begins in the state that one ended in. The first finds
// its recovery; with that the foreign key says nothing more, and it costs more than this (docs/reliability.md).
const STEPS_FOLLOW = `
  CREATE FUNCTION refuse_gap() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    IF NEW.sequence = 1 THEN
      PERFORM FROM recoveries r WHERE r.client_id = NEW.client_id AND r.id = NEW.recovery_id;
    ELSE
      PERFORM FROM recovery_events e WHERE e.client_id = NEW.client_id AND e.recovery_id = NEW.recovery_id
        AND e.sequence = NEW.sequence - 1 AND e.to_state = NEW.from_state;
    END IF;
    IF NOT FOUND THEN
      RAISE EXCEPTION 'step % of % follows nothing', NEW.sequence, NEW.recovery_id USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
  END $$;
  CREATE TRIGGER recovery_events_follow AFTER INSERT ON recovery_events FOR EACH ROW EXECUTE FUNCTION refuse_gap();
  ALTER TABLE recovery_events DROP CONSTRAINT recovery_events_client_id_recovery_id_fkey`;

// The condition is PostgreSQL's own arithmetic; the function is only ever called to refuse.
const ROWS_MOVE_BY_STEPS = `
  CREATE FUNCTION refuse_move() RETURNS trigger LANGUAGE plpgsql AS $$
  BEGIN
    RAISE EXCEPTION '% can not go from % (step %, round %) to % (step %, round %)',
      OLD.id, OLD.state, OLD.sequence, OLD.round, NEW.state, NEW.sequence, NEW.round USING ERRCODE = 'check_violation';
  END $$;
  CREATE TRIGGER recoveries_move_by_steps BEFORE UPDATE ON recoveries FOR EACH ROW WHEN (
    NEW.sequence < OLD.sequence OR NEW.round < OLD.round
    OR (NEW.state <> OLD.state AND (
      NEW.sequence = OLD.sequence
      OR OLD.state = 'succeeded'
      -- A closed one opens by its next round only, and money may still come to it.
      OR (OLD.state IN ('failed', 'blocked', 'cancelled', 'holdout') AND NEW.state <> 'succeeded' AND NEW.round = OLD.round))))
    EXECUTE FUNCTION refuse_move()`;
