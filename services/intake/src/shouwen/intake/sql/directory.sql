-- name: branch_entry
-- A branch of the directory.
SELECT branch, name, number_prefix, time_zone, packs FROM branch WHERE branch = $1;

-- name: person_department
-- An active person of a branch: whether there is one, and in which department.
SELECT department FROM person WHERE person = $1 AND branch = $2 AND active;

-- name: lock_directory
-- One process at a time brings the directory up to date ('intake.d' in ASCII is the number of the lock).
SELECT pg_advisory_xact_lock(7597137583183048292);

-- name: branches
-- The branches one may see.
SELECT branch, name, number_prefix, time_zone, packs FROM branch ORDER BY branch;

-- name: persons
-- The persons one may see.
SELECT person, branch, department, roles, active, name, email FROM person ORDER BY person;

-- name: save_branch
-- A branch as the directory describes it now.
INSERT INTO branch (branch, name, number_prefix, time_zone, packs) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (branch) DO UPDATE SET
    name = excluded.name, number_prefix = excluded.number_prefix, time_zone = excluded.time_zone, packs = excluded.packs;

-- name: save_person
-- A person as the directory describes them now.
INSERT INTO person (person, branch, department, roles, active, name, email) VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (person) DO UPDATE SET
    branch = excluded.branch, department = excluded.department, roles = excluded.roles, active = excluded.active,
    name = excluded.name, email = excluded.email;
