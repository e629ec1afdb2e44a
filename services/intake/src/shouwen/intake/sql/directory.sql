-- name: branch_entry
-- A branch of the directory.
SELECT branch, name, number_prefix, time_zone, packs, managed_by FROM branch WHERE branch = $1;

-- name: person_department
-- An active person of a branch: whether there is one, and in which department.
SELECT department FROM person WHERE person = $1 AND branch = $2 AND active;

-- name: lock_directory
-- One at a time changes the directory ('intake.d' in ASCII is the number of the lock).
SELECT pg_advisory_xact_lock(7597137583183048292);

-- name: branches
-- The branches one may see, after one of them, at most so many.
SELECT branch, name, number_prefix, time_zone, packs, managed_by FROM branch
WHERE $1::text IS NULL OR branch > $1
ORDER BY branch LIMIT $2;

-- name: departments
-- The departments one may see, after one of them, at most so many; each filter that is null lets everything through.
SELECT branch, department, name, duties, active, managed_by, external_id, withdrawn FROM department
WHERE ($1::text IS NULL OR (branch, department) > ($1, $2::text))
    AND ($3::text IS NULL OR branch = $3)
    AND ($4::text IS NULL OR duties @> jsonb_build_array(jsonb_build_object('topic', $4)))
    AND ($5::boolean IS NULL OR active = $5)
ORDER BY branch, department LIMIT $6;

-- name: department_entry
-- A department.
SELECT branch, department, name, duties, active, managed_by, external_id, withdrawn FROM department
WHERE branch = $1 AND department = $2;

-- name: persons
-- The persons one may see, after one of them, at most so many; each filter that is null lets everything through.
SELECT person, branch, department, roles, active, name, email, phone, managed_by, external_id, withdrawn
FROM person
WHERE ($1::text IS NULL OR person > $1)
    AND ($2::text IS NULL OR branch = $2)
    AND ($3::text IS NULL OR department = $3)
    AND ($4::text IS NULL OR $4 = ANY (roles))
    AND ($5::boolean IS NULL OR active = $5)
ORDER BY person LIMIT $6;

-- name: persons_named
-- The persons of these ids, as far as one may see them.
SELECT person, branch, department, roles, active, name, email, phone, managed_by, external_id, withdrawn
FROM person
WHERE person = ANY ($1::text[]) ORDER BY person;

-- name: persons_called
-- The persons of this id in whatever case, as far as one may see them.
SELECT person, branch, department, roles, active, name, email, phone, managed_by, external_id, withdrawn
FROM person WHERE lower(person) = lower($1) ORDER BY person;

-- name: is_prefix_taken
-- Whether another branch has this prefix of numbers.
SELECT EXISTS (SELECT FROM branch WHERE number_prefix = $1 AND branch <> $2);

-- name: has_numbers
-- Whether a branch has given numbers.
SELECT EXISTS (SELECT FROM number_counter WHERE branch = $1);

-- name: save_branch
-- A branch as the directory describes it now.
INSERT INTO branch (branch, name, number_prefix, time_zone, packs, managed_by) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (branch) DO UPDATE SET
    name = excluded.name, number_prefix = excluded.number_prefix, time_zone = excluded.time_zone,
    packs = excluded.packs, managed_by = excluded.managed_by;

-- name: save_department
-- A department as the directory describes it now; the id that its provider knows it by stays unless a new one is given.
INSERT INTO department (branch, department, name, duties, active, managed_by, external_id, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (branch, department) DO UPDATE SET
    name = excluded.name, duties = excluded.duties, active = excluded.active, managed_by = excluded.managed_by,
    external_id = coalesce(excluded.external_id, department.external_id), withdrawn = excluded.withdrawn;

-- name: claim_persons
-- Take ids of persons for their branches; those that are taken, be it in a branch that one does not see, stay out.
INSERT INTO person (person, branch, roles, active, name)
SELECT person, branch, '{}', false, '' FROM unnest($1::text[], $2::text[]) AS claimed (person, branch)
ON CONFLICT (person) DO NOTHING
RETURNING person;

-- name: save_person
-- A person as the directory describes them now; the id that their provider knows them by stays unless a new one is given.
INSERT INTO person (person, branch, department, roles, active, name, email, phone, managed_by, external_id, withdrawn)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (person) DO UPDATE SET
    branch = excluded.branch, department = excluded.department, roles = excluded.roles, active = excluded.active,
    name = excluded.name, email = excluded.email, phone = excluded.phone, managed_by = excluded.managed_by,
    external_id = coalesce(excluded.external_id, person.external_id), withdrawn = excluded.withdrawn;

-- name: open_cases
-- How many open cases these persons are responsible for.
SELECT count(*) FROM cases WHERE owner = ANY ($1::text[]) AND state = ANY ($2::text[]);
