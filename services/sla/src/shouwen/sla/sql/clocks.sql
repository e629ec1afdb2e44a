-- name: lock_clocks
-- The clocks of these subjects, held until the transaction ends; waits for a firing that is under way.
SELECT clock.*, step, breached, fired_at
FROM clock JOIN unnest($1::text[], $2::text[]) AS wanted (branch, subject) USING (branch, subject)
JOIN timer USING (clock_id)
ORDER BY clock_id FOR UPDATE OF clock, timer;

-- name: save_clocks
-- Keep clocks, new or changed, and when each fires next.
WITH kept AS (
    INSERT INTO clock
    SELECT * FROM jsonb_populate_recordset(NULL::clock, $1::jsonb)
    ON CONFLICT (clock_id) DO UPDATE SET
        pack_version = excluded.pack_version, clause = excluded.clause, state = excluded.state,
        provisional = excluded.provisional, started_at = excluded.started_at, due_at = excluded.due_at,
        deadline_stands = excluded.deadline_stands, ended_at = excluded.ended_at, reason = excluded.reason,
        pauses = excluded.pauses, owner = excluded.owner, department = excluded.department, fire_at = excluded.fire_at,
        breach_step = excluded.breach_step, roles = excluded.roles, generation = excluded.generation,
        extensions = excluded.extensions
)
INSERT INTO timer
SELECT * FROM jsonb_populate_recordset(NULL::timer, $1::jsonb)
ON CONFLICT (clock_id) DO UPDATE SET
    next_fire_at = excluded.next_fire_at, step = excluded.step, breached = excluded.breached,
    fired_at = excluded.fired_at;

-- name: list_clocks
-- Clocks a person may see, the earliest deadline first, after a key.
SELECT clock.*, breached, state = 'running' AND started_at > transaction_timestamp() AS is_scheduled
FROM clock JOIN timer USING (clock_id)
WHERE ($1::text IS NULL OR subject = $1)
  AND ($2::text IS NULL OR clock.branch = $2)
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
SELECT clock.*, breached, fired_at, state = 'running' AND started_at > transaction_timestamp() AS is_scheduled
FROM clock JOIN timer USING (clock_id) WHERE clock_id = $1;
