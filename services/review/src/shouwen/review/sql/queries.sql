-- name: take_number
-- The next position in the series of a branch and year.
INSERT INTO number_counter (branch, year, last) VALUES ($1, $2, 1)
ON CONFLICT (branch, year) DO UPDATE SET last = number_counter.last + 1
RETURNING last;

-- name: add_client
-- Put a client on file; nothing comes back when the branch has this identifier already.
INSERT INTO client (
    id, number, branch, kind, name, identifier, identifier_hash, consent_at, registered_at, registered_by
)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (branch, identifier_hash) DO NOTHING
RETURNING id;

-- name: client_by_id
-- One client.
SELECT * FROM client WHERE id = $1;

-- name: client_by_identifier
-- One branch's client with this identifier.
SELECT * FROM client WHERE branch = $1 AND identifier_hash = $2;

-- name: clients_page
-- Clients below $1, the newest first; $2 narrows to a branch, $3 to an identifier.
SELECT * FROM client
WHERE ($1::uuid IS NULL OR id < $1)
    AND ($2::text IS NULL OR branch = $2)
    AND ($3::text IS NULL OR identifier_hash = $3)
ORDER BY id DESC LIMIT $4;

-- name: add_entry
-- Propose an entry; nothing comes back when the client has an open one.
INSERT INTO list_entry (
    id, branch, name, identifier, identifier_hash, name_pieces, reason_code, state, proposed_by, proposed_at
)
VALUES ($1, $2, $3, $4, $5, $6, $7, 'proposed', $8, $9)
ON CONFLICT (identifier_hash) WHERE state <> 'lifted' DO NOTHING
RETURNING id;

-- name: entry_by_id
-- One entry.
SELECT * FROM list_entry WHERE id = $1;

-- name: lock_entry
-- One entry, for a change.
SELECT * FROM list_entry WHERE id = $1 FOR UPDATE;

-- name: save_entry
-- Keep what a step changed.
UPDATE list_entry SET
    state = $2, confirmed_by = $3, listed_at = $4, appealed_by = $5, appealed_at = $6, lifted_by = $7, lifted_at = $8
WHERE id = $1;

-- name: entries_page
-- Entries below $1, the newest first; $2 narrows to a state, $3 to an identifier.
SELECT * FROM list_entry
WHERE ($1::uuid IS NULL OR id < $1)
    AND ($2::text IS NULL OR state = $2)
    AND ($3::text IS NULL OR identifier_hash = $3)
ORDER BY id DESC LIMIT $4;

-- name: add_entry_fact
-- Write a line of an entry's history.
INSERT INTO list_entry_fact (list_entry_id, branch, state, at, person, reason) VALUES ($1, $2, $3, $4, $5, $6);

-- name: entry_facts
-- The history of an entry, oldest first.
SELECT state, at, person, reason FROM list_entry_fact WHERE list_entry_id = $1 ORDER BY id;

-- name: entries_in_force_by_identifier
-- Entries in force with exactly this identifier.
SELECT id, reason_code FROM list_entry WHERE identifier_hash = $1 AND state IN ('listed', 'lift_proposed');

-- name: entries_in_force_by_name
-- Entries in force that share a piece of the name; how near they are is decided outside.
SELECT id, reason_code, name_pieces FROM list_entry
WHERE name_pieces && $1::bigint[] AND state IN ('listed', 'lift_proposed');

-- name: add_screening
-- Keep what was found; nothing comes back when the subject was screened before.
INSERT INTO screening (id, subject, branch, screened_at, hits, traceparent) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (subject) DO NOTHING
RETURNING id;

-- name: screenings_page
-- Screenings below $1, the newest first; $2 narrows to a subject.
SELECT * FROM screening
WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR subject = $2)
ORDER BY id DESC LIMIT $3;
