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

-- name: finish_follow_up
-- The requester was followed up.
UPDATE follow_up SET done_at = $2, done_by = $3, words = $4 WHERE id = $1;
