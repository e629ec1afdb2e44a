-- name: take_number
-- The next position of a branch and year; the lock holds rivals back until this transaction ends.
INSERT INTO number_counter (branch, year, last) VALUES ($1, $2, 1)
ON CONFLICT (branch, year) DO UPDATE SET last = number_counter.last + 1
RETURNING last;

-- name: case_by_number
-- A case, as far as one may see it.
SELECT * FROM cases WHERE number = $1;

-- name: case_by_id
-- A case by its id.
SELECT * FROM cases WHERE id = $1;

-- name: lock_case_by_number
-- A case, held until this transaction ends.
SELECT * FROM cases WHERE number = $1 FOR UPDATE;

-- name: lock_case_by_id
-- A case by its id, held until this transaction ends.
SELECT * FROM cases WHERE id = $1 FOR UPDATE;

-- name: lock_open_cases_of_client
-- The open cases that name a client, held until this transaction ends, in one order for all who lock several.
SELECT * FROM cases
WHERE client_identifier_hash = $1 AND state = ANY($2::text[])
ORDER BY id FOR UPDATE;

-- name: waited_enough
-- Cases that wait for an answer which was expected until now, the longest overdue first.
SELECT id FROM cases WHERE expected_until <= now() ORDER BY expected_until LIMIT $1;

-- name: save_case
-- A case after a command.
UPDATE cases SET
    state = $2, owner = $3, department = $4, replied_at = $5, plan_delivered_at = $6, ended_at = $7,
    type = $8, severity = $9, promised_at = $10, acknowledged_at = $11, pause_reason = $12, paused_at = $13,
    expected_until = $14, cycle = $15, found_malicious_at = $16, parts = $17, merged_into = $18,
    merged_into_number = $19
WHERE id = $1;
