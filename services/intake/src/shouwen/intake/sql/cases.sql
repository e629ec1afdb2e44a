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
    requester_phone_hash, client_name, client_identifier, client_identifier_hash, requester_email, requester_email_hash
) VALUES (
    $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
    $25
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
