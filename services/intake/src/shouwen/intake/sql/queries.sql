-- name: claim_key
-- Take a caller's key for a request; nothing comes back when the key was taken before. Waits for a rival to end.
INSERT INTO idempotency_key (person, key, branch, request_hash, case_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person, key) DO NOTHING
RETURNING case_id;

-- name: claimed_key
-- What a caller's key was used for.
SELECT request_hash, case_id FROM idempotency_key WHERE person = $1 AND key = $2;

-- name: branch_entry
-- A branch of the directory.
SELECT branch, name, number_prefix, time_zone, packs FROM branch WHERE branch = $1;

-- name: person_department
-- An active person of a branch: whether there is one, and in which department.
SELECT department FROM person WHERE person = $1 AND branch = $2 AND active;

-- name: listed_entry
-- The oldest live list entry of an identifier.
SELECT list_entry_id, reason_code FROM listed_client
WHERE identifier_hash = $1 AND delisted_at IS NULL AND listed_at IS NOT NULL
ORDER BY listed_at, list_entry_id LIMIT 1;

-- name: take_number
-- The next position of a branch and year; the lock holds rivals back until this transaction ends.
INSERT INTO number_counter (branch, year, last) VALUES ($1, $2, 1)
ON CONFLICT (branch, year) DO UPDATE SET last = number_counter.last + 1
RETURNING last;

-- name: add_case
-- A new case.
INSERT INTO cases (
    id, number, branch, type, severity, channel, relation, state, received_at, registered_at, registrar, owner,
    department, promised_at, traceparent, subject, description, requester_name, requester_phone,
    requester_phone_hash, client_name, client_identifier, client_identifier_hash
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23
);

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

-- name: save_case
-- The state of a case after a command.
UPDATE cases SET state = $2, owner = $3, department = $4, replied_at = $5, plan_delivered_at = $6, ended_at = $7
WHERE id = $1;

-- name: cases_page
-- A page of the register, the newest first; each filter that is null lets everything through.
SELECT * FROM cases
WHERE ($1::uuid IS NULL OR id < $1)
    AND ($2::text IS NULL OR branch = $2)
    AND ($3::text IS NULL OR type = $3)
    AND ($4::text IS NULL OR state = $4)
    AND ($5::text IS NULL OR owner = $5)
    AND ($6::text IS NULL OR client_identifier_hash = $6)
ORDER BY id DESC LIMIT $7;

-- name: add_fact
-- A case's own fact.
INSERT INTO case_fact (event_id, case_id, branch, type, at, recorded_at, actor, details, traceparent, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10);

-- name: notes
-- The words that people recorded with a case's facts, the oldest first.
SELECT type, at, actor, note FROM case_fact WHERE case_id = $1 AND note IS NOT NULL ORDER BY at, event_id;

-- name: timeline_page
-- A case's own facts and what was heard of it, the oldest first, after a place in time.
SELECT at, event_id, source, type, details::text AS details, traceparent FROM (
    SELECT at, event_id, '/shouwen/intake' AS source, type, details, traceparent FROM case_fact WHERE case_id = $1
    UNION ALL
    SELECT at, event_id, source, type, details, traceparent FROM heard_fact WHERE case_id = $1
) AS entry
WHERE $2::timestamptz IS NULL OR (at, event_id) > ($2, $3::text)
ORDER BY at, event_id LIMIT $4;

-- name: add_heard
-- A fact heard from another service; one already kept stays as it is.
INSERT INTO heard_fact (source, event_id, case_id, branch, type, at, heard_at, details, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9)
ON CONFLICT (source, event_id) DO NOTHING;

-- name: marks
-- The marks of a case, the oldest first.
SELECT mark, list_entry_id, reason_code, marked_at, lifted_at FROM case_mark
WHERE case_id = $1 ORDER BY marked_at, mark, list_entry_id;

-- name: add_mark
-- A mark for a list entry; one already there stays as it is.
INSERT INTO case_mark (case_id, mark, list_entry_id, branch, reason_code, marked_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (case_id, mark, list_entry_id) DO NOTHING;

-- name: lift_marks
-- The list entry no longer stands: its marks are history.
UPDATE case_mark SET lifted_at = $2 WHERE list_entry_id = $1 AND lifted_at IS NULL;

-- name: list_client
-- A client came onto the list; an entry whose removal was heard first stays removed.
INSERT INTO listed_client (list_entry_id, branch, identifier_hash, reason_code, listed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (list_entry_id) DO UPDATE SET listed_at = excluded.listed_at
RETURNING delisted_at IS NULL AS stands;

-- name: delist_client
-- A client left the list.
INSERT INTO listed_client (list_entry_id, branch, identifier_hash, reason_code, delisted_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (list_entry_id) DO UPDATE SET delisted_at = excluded.delisted_at;

-- name: add_look
-- A look at unmasked personal data.
INSERT INTO look (at, person, case_id, branch, fields, trace_id) VALUES ($1, $2, $3, $4, $5, $6);

-- name: claim_group_event
-- Take an event of another system in; nothing comes back when it came before. Waits for a rival to end.
INSERT INTO group_event (source, event_id, branch, content_hash, accepted_by, accepted_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (source, event_id) DO NOTHING
RETURNING event_id;

-- name: claimed_group_event
-- The content of an event that came before.
SELECT content_hash FROM group_event WHERE source = $1 AND event_id = $2;

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
