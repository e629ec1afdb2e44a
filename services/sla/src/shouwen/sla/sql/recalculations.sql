-- name: add_recalculation
-- Compute open clocks anew, of one branch or of all, from an instant on.
INSERT INTO recalculation (cause, branch, due_at)
VALUES ($1, $2, coalesce($3::timestamptz, transaction_timestamp())) RETURNING recalculation_id;

-- name: claim_recalculation
-- The next one that is due, held until the transaction ends; another replica passes it over.
SELECT recalculation_id, branch, after_subject, after_branch FROM recalculation
WHERE done_at IS NULL AND due_at <= statement_timestamp()
ORDER BY recalculation_id LIMIT 1 FOR UPDATE SKIP LOCKED;

-- name: open_subjects
-- The next subjects that have open clocks.
SELECT DISTINCT subject, branch FROM clock
WHERE ended_at IS NULL AND ($1::text IS NULL OR branch = $1) AND (subject, branch) > ($2, $3)
ORDER BY subject, branch LIMIT $4;

-- name: note_progress
-- How far it has come, and how many clocks it has looked at and moved.
UPDATE recalculation SET after_subject = $2, after_branch = $3, clocks = clocks + $4, moved = moved + $5
WHERE recalculation_id = $1;

-- name: finish_recalculation
-- All open clocks have been computed anew.
UPDATE recalculation SET done_at = clock_timestamp() WHERE recalculation_id = $1;

-- name: cancel_clocks
-- End open clocks whose target no longer binds their branch.
WITH disarmed AS (
    UPDATE timer SET next_fire_at = NULL WHERE clock_id = ANY ($1::uuid[])
)
UPDATE clock SET state = 'cancelled', ended_at = transaction_timestamp(), reason = $2
WHERE clock_id = ANY ($1::uuid[]) AND ended_at IS NULL RETURNING *;

-- name: list_recalculations
-- Recalculations a person may see, the newest first, before a key.
SELECT recalculation_id, cause, branch, due_at, clocks, moved, asked_at, done_at FROM recalculation
WHERE $1::bigint IS NULL OR recalculation_id < $1 ORDER BY recalculation_id DESC LIMIT $2;

-- name: open_clocks
-- The open clocks of these subjects.
SELECT branch, subject, clock_id, pack, policy, target, cycle, due_at
FROM clock JOIN unnest($1::text[], $2::text[]) AS wanted (branch, subject) USING (branch, subject)
WHERE ended_at IS NULL ORDER BY due_at, clock_id;
