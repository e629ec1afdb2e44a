-- name: add_decision
-- Whether a suggestion is adopted.
INSERT INTO suggestion_decision (case_id, branch, adopted, reason, decided_at, decided_by, sent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: decision
-- What was decided about a suggestion.
SELECT * FROM suggestion_decision WHERE case_id = $1;
