-- name: add_remedy
-- What a requester was given.
INSERT INTO remedy (id, case_id, branch, remedy, amount, words, given_at, recorded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8);

-- name: remedies
-- What the requester of a case was given, the oldest first.
SELECT * FROM remedy WHERE case_id = $1 ORDER BY given_at, id;

-- name: add_follow_up
-- Somebody is to get in touch with the requester again.
INSERT INTO follow_up (id, case_id, branch, reason, owner, due_at, opened_at) VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: follow_ups
-- What is to follow after a case, the oldest first.
SELECT * FROM follow_up WHERE case_id = $1 ORDER BY opened_at, id;

-- name: follow_up
-- One thing that is to follow.
SELECT * FROM follow_up WHERE case_id = $1 AND id = $2;

-- name: things_to_do
-- Corrective actions and follow-ups that are open, the earliest due first, after a place in that order.
SELECT id, kind, number, owner, due_at FROM (
    SELECT corrective_action.id, 'corrective_action' AS kind, cases.number, cases.branch,
        corrective_action.owner, corrective_action.due_at
    FROM corrective_action JOIN cases ON cases.id = corrective_action.case_id
    WHERE corrective_action.completed_at IS NULL
    UNION ALL
    SELECT follow_up.id, 'follow_up', cases.number, cases.branch, follow_up.owner, follow_up.due_at
    FROM follow_up JOIN cases ON cases.id = follow_up.case_id
    WHERE follow_up.done_at IS NULL
) AS thing
WHERE ($1::text IS NULL OR branch = $1)
    AND ($2::text IS NULL OR owner = $2)
    AND ($3::timestamptz IS NULL OR due_at < $3)
    AND ($4::timestamptz IS NULL OR (due_at, id) > ($4, $5::uuid))
ORDER BY due_at, id LIMIT $6;

-- name: finish_follow_up
-- The requester was followed up.
UPDATE follow_up SET done_at = $2, done_by = $3, words = $4 WHERE id = $1;
