-- name: add_evaluation
-- A request outside the contract, to be decided.
INSERT INTO evaluation (id, case_id, branch, request, client_value, importance, cost, requested_at, requested_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: evaluations
-- The evaluations of a case, the oldest first.
SELECT * FROM evaluation WHERE case_id = $1 ORDER BY requested_at, id;

-- name: evaluation
-- One evaluation of a case.
SELECT * FROM evaluation WHERE case_id = $1 AND id = $2;

-- name: has_undecided
-- Whether an evaluation of a case waits for its decision.
SELECT EXISTS (SELECT FROM evaluation WHERE case_id = $1 AND decision IS NULL);

-- name: decide_evaluation
-- It was decided.
UPDATE evaluation SET decision = $2, decided_at = $3, decided_by = $4, price = $5, conditions = $6, reason = $7
WHERE id = $1;
