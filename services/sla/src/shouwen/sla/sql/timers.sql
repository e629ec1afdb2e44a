-- name: fire_due
-- Fire the next step of up to $1 clocks that are due by the database's time, and queue the events, in one statement:
-- a crash undoes all of it. Parallel tickers pass over each other's clocks. The events' ids follow from the firing
-- (domain/clock.py computes the same), and each carries the context of the span that the caller records afterwards.
-- The time stands in a subquery so that the plan does not depend on how many clocks the statistics believe to be due:
-- after a downtime it would else read and sort all that is due for each batch.
-- A row that another transaction changed since this statement began has another place now and waits for the next batch,
-- so the instants of a clock are never taken from before such a change.
WITH due AS (
    SELECT ctid AS place FROM timer WHERE next_fire_at <= (SELECT statement_timestamp())
    ORDER BY next_fire_at LIMIT $1 FOR UPDATE SKIP LOCKED
), fired AS (
    UPDATE timer SET
        step = timer.step + 1,
        next_fire_at = fire_at[timer.step + 2],
        breached = breached OR timer.step = breach_step,
        fired_at[timer.step + 1] = clock_timestamp()
    FROM due, clock
    WHERE timer.ctid = due.place AND clock.clock_id = timer.clock_id
    RETURNING clock.*, timer.step - 1 AS fired_step, fire_at[timer.step] AS fired_for,
        sha256(convert_to(clock.clock_id || ':' || cycle || ':' || timer.step - 1 || ':' || generation, 'UTF8')) AS digest
), told AS (
    SELECT clock_id, branch, subject, pack, policy, target, clause, cycle, due_at, owner, department, traceparent, digest,
        fired_for,
        CASE WHEN fired_step < breach_step THEN 'clock.at_risk.v1'
             WHEN fired_step = breach_step THEN 'clock.breached.v1'
             ELSE 'escalation.raised.v1' END AS event_type,
        substr(traceparent, 1, 36) || encode(substr(digest, 17, 8), 'hex') || substr(traceparent, 53) AS span,
        extract(epoch FROM greatest(clock_timestamp() - fired_for, interval '0')) AS late_seconds,
        CASE WHEN fired_step > breach_step
             THEN jsonb_build_object('level', fired_step - breach_step, 'role', roles[fired_step - breach_step])
             ELSE '{}' END AS escalation
    FROM fired
), queued AS (
    INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, traceparent, body)
    SELECT 'clock.v1', convert_to(clock_id::text, 'UTF8'), encode(substr(digest, 1, 16), 'hex')::uuid::text, event_type, $2,
        'clock/' || clock_id, clock_timestamp(), span,
        convert_to((escalation || jsonb_build_object(
            'branch', branch, 'clock_id', clock_id, 'timed_subject', subject, 'pack', pack, 'policy', policy,
            'target', target, 'clause', clause, 'cycle', cycle, 'due_at', due_at, 'fired_for', fired_for,
            'late_seconds', late_seconds,
            'responsible', jsonb_build_object(
                'owner', owner, 'department', department,
                -- Who stood in for the owner at the instant of the firing answers second (delegates_of finds the same).
                'delegate', (
                    SELECT delegate FROM delegation
                    WHERE delegation.principal = told.owner AND NOT cancelled
                      AND starts_at <= fired_for AND ends_at > fired_for
                    ORDER BY starts_at DESC, delegation_id LIMIT 1
                )
            )
        ))::text, 'UTF8')
    FROM told
)
SELECT event_type, branch, subject, target, traceparent, span, late_seconds::float8 AS late_seconds, clock_timestamp() AS fired_at
FROM told;

-- name: next_firing
-- How long until the earliest firing, in seconds; null when no clock is armed.
SELECT extract(epoch FROM min(next_fire_at) - clock_timestamp())::float8 FROM timer WHERE next_fire_at IS NOT NULL;
