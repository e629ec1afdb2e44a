-- name: lock_clocks
-- The clocks of these subjects, held until the transaction ends; waits for a firing that is under way.
SELECT clock.* FROM clock JOIN unnest($1::text[], $2::text[]) AS wanted (branch, subject) USING (branch, subject)
ORDER BY clock_id FOR UPDATE OF clock;

-- name: save_clocks
-- Keep clocks, new or changed.
INSERT INTO clock AS kept
SELECT * FROM jsonb_populate_recordset(NULL::clock, $1::jsonb)
ON CONFLICT (clock_id) DO UPDATE SET
    pack_version = excluded.pack_version, clause = excluded.clause, state = excluded.state,
    breached = excluded.breached, provisional = excluded.provisional, started_at = excluded.started_at,
    due_at = excluded.due_at, deadline_stands = excluded.deadline_stands, ended_at = excluded.ended_at,
    reason = excluded.reason, pauses = excluded.pauses, owner = excluded.owner, department = excluded.department,
    fire_at = excluded.fire_at, fired_at = excluded.fired_at, breach_step = excluded.breach_step,
    roles = excluded.roles, step = excluded.step, generation = excluded.generation,
    next_fire_at = excluded.next_fire_at, extensions = excluded.extensions;

-- name: fire_due
-- Fire the next step of up to $1 clocks that are due by the database's time, and queue the events, in one statement:
-- a crash undoes all of it. Parallel tickers pass over each other's clocks. The events' ids follow from the firing
-- (domain/clock.py computes the same), and each carries the context of the span that the caller records afterwards.
-- The time stands in a subquery so that the plan does not depend on how many clocks the statistics believe to be due:
-- after a downtime it would else read and sort all that is due for each batch.
WITH due AS (
    SELECT clock_id FROM clock WHERE next_fire_at <= (SELECT statement_timestamp())
    ORDER BY next_fire_at LIMIT $1 FOR UPDATE SKIP LOCKED
), fired AS (
    UPDATE clock SET
        step = step + 1,
        next_fire_at = fire_at[step + 2],
        breached = breached OR step = breach_step,
        fired_at[step + 1] = clock_timestamp()
    FROM due WHERE clock.clock_id = due.clock_id
    RETURNING clock.*, clock.step - 1 AS fired_step, clock.fire_at[clock.step] AS fired_for
), named AS (
    SELECT *,
        CASE WHEN fired_step < breach_step THEN 'clock.at_risk.v1'
             WHEN fired_step = breach_step THEN 'clock.breached.v1'
             ELSE 'escalation.raised.v1' END AS event_type,
        sha256(convert_to(clock_id || ':' || cycle || ':' || fired_step || ':' || generation, 'UTF8')) AS digest,
        extract(epoch FROM greatest(clock_timestamp() - fired_for, interval '0')) AS late_seconds
    FROM fired
), told AS (
    SELECT *,
        encode(substr(digest, 1, 16), 'hex')::uuid::text AS event_id,
        substr(traceparent, 1, 36) || encode(substr(digest, 17, 8), 'hex') || substr(traceparent, 53) AS span,
        -- Who stood in for the owner at the instant of the firing answers second (delegates_of finds the same).
        (SELECT delegate FROM delegation
         WHERE delegation.principal = named.owner AND NOT cancelled
           AND starts_at <= fired_for AND ends_at > fired_for
         ORDER BY starts_at DESC, delegation_id LIMIT 1) AS delegate
    FROM named
), queued AS (
    INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, traceparent, body)
    SELECT 'clock.v1', convert_to(clock_id::text, 'UTF8'), event_id, event_type, $2, 'clock/' || clock_id,
        clock_timestamp(), span,
        convert_to((
            jsonb_build_object(
                'branch', branch, 'clock_id', clock_id, 'timed_subject', subject, 'pack', pack, 'policy', policy,
                'target', target, 'clause', clause, 'cycle', cycle, 'due_at', due_at, 'fired_for', fired_for,
                'late_seconds', late_seconds,
                'responsible', jsonb_build_object('owner', owner, 'department', department, 'delegate', delegate)
            ) || CASE WHEN fired_step <= breach_step THEN '{}'::jsonb
                 ELSE jsonb_build_object('level', fired_step - breach_step, 'role', roles[fired_step - breach_step]) END
        )::text, 'UTF8')
    FROM told ORDER BY fired_for, clock_id
)
SELECT event_type, branch, subject, target, traceparent, span, late_seconds::float8 AS late_seconds, clock_timestamp() AS fired_at
FROM told;

-- name: next_firing
-- How long until the earliest firing, in seconds; null when no clock is armed.
SELECT extract(epoch FROM min(next_fire_at) - clock_timestamp())::float8 FROM clock WHERE next_fire_at IS NOT NULL;

-- name: list_clocks
-- Clocks a person may see, the earliest deadline first, after a key.
SELECT clock.*, state = 'running' AND started_at > transaction_timestamp() AS is_scheduled
FROM clock
WHERE ($1::text IS NULL OR subject = $1)
  AND ($2::text IS NULL OR branch = $2)
  AND ($3::text IS NULL OR CASE WHEN $3 = 'scheduled' THEN state = 'running' AND started_at > transaction_timestamp()
                                WHEN $3 = 'running' THEN state = 'running' AND started_at <= transaction_timestamp()
                                ELSE state = $3 END)
  AND ($4::boolean IS NULL OR breached = $4)
  AND ($5::text IS NULL OR owner = $5)
  AND ($6::text IS NULL OR department = $6)
  AND ($7::timestamptz IS NULL OR due_at < $7)
  AND ($8::timestamptz IS NULL OR (due_at, clock_id) > ($8, $9::uuid))
ORDER BY due_at, clock_id LIMIT $10;

-- name: get_clock
-- One clock a person may see.
SELECT clock.*, state = 'running' AND started_at > transaction_timestamp() AS is_scheduled
FROM clock WHERE clock_id = $1;
