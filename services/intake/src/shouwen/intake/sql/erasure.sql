-- name: add_erasure
-- An erasure that somebody asks for; nothing comes back when the same one waits for its decision.
INSERT INTO erasure (id, whose, found_by, person_hash, reason, state, proposed_by, proposed_at, cases)
VALUES ($1, $2, $3, $4, $5, 'proposed', $6, $7, $8)
ON CONFLICT (whose, person_hash) WHERE state = 'proposed' DO NOTHING
RETURNING id;

-- name: lock_erasure
-- An erasure, held until this transaction ends.
SELECT * FROM erasure WHERE id = $1 FOR UPDATE;

-- name: save_erasure
-- What was decided.
UPDATE erasure SET state = $2, decided_by = $3, decided_at = $4, cases = $5 WHERE id = $1;

-- name: erasures_page
-- The erasures, the newest first.
SELECT * FROM erasure WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR state = $2)
ORDER BY id DESC LIMIT $3;

-- name: erasures_done
-- What was erased, the oldest first.
SELECT * FROM erasure WHERE state = 'done' ORDER BY decided_at, id;

-- name: lock_cases_of_client
-- The cases with a client's data, held until this transaction ends.
SELECT * FROM cases WHERE client_identifier_hash = $1 ORDER BY id FOR UPDATE;

-- name: lock_cases_of_phone
-- The cases of a requester with this phone.
SELECT * FROM cases WHERE requester_phone_hash = $1 ORDER BY id FOR UPDATE;

-- name: lock_cases_of_email
-- The cases of a requester with this address.
SELECT * FROM cases WHERE requester_email_hash = $1 ORDER BY id FOR UPDATE;

-- name: cases_erased
-- The cases that the erasure of a client or requester ($1) decided at $2 took the data from: both are of one transaction.
SELECT * FROM cases
WHERE CASE $1::text WHEN 'client' THEN client_erased_at ELSE requester_erased_at END = $2::timestamptz ORDER BY id;

-- name: erase_case
-- Take the words about a person out of a case.
SELECT shouwen_erase_case($1, $2, $3);

-- name: looks_page
-- Who looked at unmasked data, the newest first.
-- The look at a mail that was no case's has the mail's id in the place of the case's; what it became later is told.
SELECT look.id, look.at, look.person, look.branch, look.fields, look.trace_id, cases.number
FROM look
LEFT JOIN mail ON mail.id = look.case_id
LEFT JOIN cases ON cases.id = coalesce(mail.case_id, look.case_id)
WHERE ($1::bigint IS NULL OR look.id < $1)
    AND ($2::text IS NULL OR look.person = $2)
    AND ($3::text IS NULL OR look.case_id = ANY (ARRAY(
        SELECT id FROM cases WHERE number = $3
        UNION ALL SELECT mail.id FROM mail JOIN cases ON cases.id = mail.case_id WHERE cases.number = $3
    )))
    AND ($4::timestamptz IS NULL OR look.at >= $4)
    AND ($5::timestamptz IS NULL OR look.at <= $5)
ORDER BY look.id DESC LIMIT $6;
