-- name: take_number
-- The next position of a branch and year; the lock holds rivals back until this transaction ends.
INSERT INTO form_counter (branch, year, last) VALUES ($1, $2, 1)
ON CONFLICT (branch, year) DO UPDATE SET last = form_counter.last + 1
RETURNING last;

-- name: number_of_identifier
-- The form of a client of a branch, by the hash of the identifier.
SELECT number FROM client WHERE branch = $1 AND identifier_hash = $2;

-- name: add_client
-- A new client; nothing comes back when the branch has the identifier on file already.
INSERT INTO client (
    id, number, branch, kind, name, identifier, identifier_hash, consent, originals_seen, registered_by, registered_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (branch, identifier_hash) DO NOTHING
RETURNING id;

-- name: clients
-- Clients as far as one may see them, in the order of registration. $2: the number of a form.
SELECT client.*, standing.reason_code AS listed_for
FROM client
LEFT JOIN list_entry AS standing
    ON standing.identifier_hash = client.identifier_hash AND standing.state IN ('listed', 'appealed')
WHERE client.seq > $1 AND ($2::text IS NULL OR client.number = $2)
ORDER BY client.seq LIMIT $3;

-- name: client_by_id
-- A client, as far as one may see them.
SELECT client.*, standing.reason_code AS listed_for
FROM client
LEFT JOIN list_entry AS standing
    ON standing.identifier_hash = client.identifier_hash AND standing.state IN ('listed', 'appealed')
WHERE client.id = $1;

-- name: erase_client
-- Take a client who was registered until $2 out of the files of all branches, found by the hash of the identifier.
UPDATE client SET name = NULL, identifier = NULL, identifier_hash = NULL, erased_at = $2
WHERE identifier_hash = $1 AND registered_at <= $2;

-- name: add_entry
-- A proposal; nothing comes back when an entry for the identifier is open already, in whichever branch.
INSERT INTO list_entry (
    id, branch, client_id, kind, name, comparable_name, identifier, identifier_hash, reason_code, reason, state,
    proposed_by, proposed_at, serious
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'proposed', $11, $12, $13)
ON CONFLICT (identifier_hash) WHERE state IN ('proposed', 'listed', 'appealed') DO NOTHING;

-- name: save_entry
-- What a step has changed.
UPDATE list_entry SET state = $2, confirmed_by = $3, confirmed_at = $4, appealed_by = $5, appealed_at = $6,
    lifted_by = $7, lifted_at = $8
WHERE id = $1;

-- name: add_step
-- A line of an entry's history.
INSERT INTO list_step (list_entry_id, branch, step, at, person, reason) VALUES ($1, $2, $3, $4, $5, $6);

-- name: lock_entry
-- An entry of one's own branches, held until this transaction ends.
SELECT * FROM list_entry WHERE id = $1 FOR UPDATE;

-- name: entry_by_id
-- An entry, as far as one may see it.
SELECT * FROM list_entry WHERE id = $1;

-- name: entries
-- Entries as far as one may see them, in the order in which they were proposed. $2: a state.
SELECT * FROM list_entry WHERE seq > $1 AND ($2::text IS NULL OR state = $2) ORDER BY seq LIMIT $3;

-- name: serious_forgery_of
-- Whether two persons have confirmed that a client's forgery is serious.
SELECT EXISTS (SELECT FROM list_entry WHERE client_id = $1 AND serious AND state IN ('listed', 'appealed'));

-- name: add_referral
-- A forgery was reported to the judiciary; nothing comes back when it was before.
INSERT INTO referral (client_id, branch, authority, referred_at, referred_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (client_id) DO NOTHING
RETURNING client_id;

-- name: steps
-- The history of entries.
SELECT list_entry_id, step, at, person, reason FROM list_step WHERE list_entry_id = ANY ($1::uuid[]) ORDER BY id;

-- name: same_identifier
-- Standing entries of any of these identifiers.
SELECT id, reason_code FROM list_entry
WHERE identifier_hash = ANY ($1::text[]) AND state IN ('listed', 'appealed')
ORDER BY confirmed_at, id;

-- name: set_candidate_similarity
-- From which similarity the operator % of this transaction counts.
SELECT set_config('pg_trgm.similarity_threshold', $1, true);

-- name: similar_names
-- Standing entries whose name is the same or has similar trigrams, nearest first.
SELECT id, kind, comparable_name, reason_code, similarity(comparable_name, $1) AS similarity
FROM list_entry
WHERE (comparable_name % $1 OR comparable_name = $1) AND state IN ('listed', 'appealed')
ORDER BY similarity DESC, id LIMIT $2;

-- name: add_screening
-- The screening of a case's client; a case is screened once.
INSERT INTO screening (case_id, branch, screened_at, hits, traceparent) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (case_id) DO NOTHING
RETURNING case_id;

-- name: screenings
-- Screenings as far as one may see them, in their order. $2: a case.
SELECT case_id, seq, branch, screened_at, hits, traceparent FROM screening
WHERE seq > $1 AND ($2::uuid IS NULL OR case_id = $2) ORDER BY seq LIMIT $3;
