-- name: add_decision
-- Whether a suggestion is adopted.
INSERT INTO suggestion_decision (case_id, branch, adopted, reason, decided_at, decided_by, sent_at)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: decision
-- What was decided about a suggestion.
SELECT * FROM suggestion_decision WHERE case_id = $1;

-- name: save_category
-- What a suggestion is about; the last word counts.
INSERT INTO suggestion_category (case_id, branch, category, sorted_at, sorted_by) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (case_id) DO UPDATE SET
    category = excluded.category, sorted_at = excluded.sorted_at, sorted_by = excluded.sorted_by;

-- name: categories
-- What suggestions are about, those that were sorted.
SELECT case_id, category FROM suggestion_category WHERE case_id = ANY ($1::uuid[]);
