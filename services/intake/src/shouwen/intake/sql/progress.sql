-- name: branch_of_prefix
-- Whose numbers begin so.
SELECT branch FROM branch WHERE number_prefix = $1;

-- name: save_code
-- The secret code of a case; a new one takes the place of the old.
INSERT INTO progress_code (case_id, branch, salt, hash, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (case_id) DO UPDATE SET
    salt = excluded.salt, hash = excluded.hash, created_at = excluded.created_at, created_by = excluded.created_by;

-- name: code_of
-- What is kept of the secret code of a case.
SELECT progress_code.salt, progress_code.hash
FROM cases JOIN progress_code ON progress_code.case_id = cases.id WHERE cases.number = $1;

-- name: steps
-- The times and types of a case's own facts, the oldest first.
SELECT at, type FROM case_fact WHERE case_id = $1 ORDER BY at, event_id;

-- name: contact
-- The names of a person and a department of a branch, as far as the directory has them, and its time zone.
SELECT
    (SELECT person.name FROM person WHERE person.person = $2 AND person.branch = $1) AS person,
    (SELECT department.name FROM department WHERE department.branch = $1 AND department.department = $3) AS department,
    (SELECT branch.time_zone FROM branch WHERE branch.branch = $1) AS time_zone;
