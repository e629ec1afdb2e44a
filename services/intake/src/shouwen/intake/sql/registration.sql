-- name: begin_registration
-- Take the caller's key (waiting for a rival to end), and look up what the registration needs, in one round trip.
WITH claimed AS (
    INSERT INTO idempotency_key (person, key, branch, request_hash, case_id, created_at)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (person, key) DO NOTHING
    RETURNING case_id
)
SELECT
    EXISTS (SELECT FROM claimed) AS is_new, branch.number_prefix, branch.time_zone, owner.person AS owner,
    owner.department, entry.list_entry_id, entry.reason_code
FROM (SELECT $3::text AS code) AS asked
LEFT JOIN branch ON branch.branch = asked.code
LEFT JOIN person AS owner ON owner.person = $7 AND owner.branch = asked.code AND owner.active
LEFT JOIN LATERAL (
    SELECT list_entry_id, reason_code FROM listed_client
    WHERE identifier_hash = $8::text AND delisted_at IS NULL AND listed_at IS NOT NULL
    ORDER BY listed_at, list_entry_id LIMIT 1
) AS entry ON true;

-- name: file_case
-- A new case, the words it is found by, the person who is responsible for it from the receipt on, and its first fact.
WITH filed AS (
    INSERT INTO cases (
        id, number, branch, type, severity, channel, relation, state, received_at, registered_at, registrar, owner,
        department, promised_at, traceparent, subject, description, requester_name, requester_phone,
        requester_phone_hash, client_name, client_identifier, client_identifier_hash, requester_email,
        requester_email_hash, parent_id
    ) VALUES (
        $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24,
        $25, $26
    )
    RETURNING id, branch, owner, department, received_at, traceparent
),
worded AS (
    INSERT INTO case_text (case_id, branch, grams) SELECT id, branch, $27::integer[] FROM filed
),
told AS (
    INSERT INTO case_fact (event_id, case_id, branch, type, at, recorded_at, actor, details, traceparent)
    SELECT $28, id, branch, $29, $30, $31, $32, $33::text::jsonb, $34 FROM filed
)
INSERT INTO custody (case_id, branch, person, department, since, how)
SELECT id, branch, owner, department, received_at, 'registered' FROM filed;

-- name: ground
-- What a registration stands on, and whether the caller's key was used before.
SELECT
    NOT EXISTS (SELECT FROM idempotency_key WHERE person = $1 AND key = $2) AS is_new, branch.number_prefix,
    branch.time_zone, owner.person AS owner, owner.department, entry.list_entry_id, entry.reason_code
FROM (SELECT $3::text AS code) AS asked
LEFT JOIN branch ON branch.branch = asked.code
LEFT JOIN person AS owner ON owner.person = $4 AND owner.branch = asked.code AND owner.active
LEFT JOIN LATERAL (
    SELECT list_entry_id, reason_code FROM listed_client
    WHERE identifier_hash = $5::text AND delisted_at IS NULL AND listed_at IS NOT NULL
    ORDER BY listed_at, list_entry_id LIMIT 1
) AS entry ON true;

-- name: file_at_once
-- Take the caller's key and the next number, file the case, and queue its event: a transaction of one statement, so
-- that a branch's next registration waits for the database only. Nothing happens, and nothing comes back, when the key
-- was taken before. Whoever asks sees the branches $1: the row that carries them comes before every row that is written.
-- The number stands as $10 in the values; it is built as domain/numbering.py does.
WITH opened AS MATERIALIZED (
    SELECT set_config('shouwen.branches', $1, true)
),
claimed AS (
    INSERT INTO idempotency_key (person, key, branch, request_hash, case_id, created_at)
    SELECT $2, $3, $4, $5, $6, $7 FROM opened
    ON CONFLICT (person, key) DO NOTHING
    RETURNING case_id
),
taken AS (
    INSERT INTO number_counter (branch, year, last) SELECT $4, $8, 1 FROM claimed
    ON CONFLICT (branch, year) DO UPDATE SET last = number_counter.last + 1
    RETURNING $9::text || '-' || year || '-' || lpad(last::text, greatest(6, length(last::text)), '0') AS number
),
filed AS (
    INSERT INTO cases (
        id, number, branch, type, severity, channel, relation, state, received_at, registered_at, registrar, owner,
        department, promised_at, traceparent, subject, description, requester_name, requester_phone,
        requester_phone_hash, client_name, client_identifier, client_identifier_hash, requester_email,
        requester_email_hash, parent_id
    )
    SELECT
        $11, replace($12::text, $10::text, number), $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26,
        $27, $28, $29, $30, $31, $32, $33, $34, $35, $36
    FROM taken
    RETURNING id, number, branch, owner, department, received_at
),
worded AS (
    INSERT INTO case_text (case_id, branch, grams) SELECT id, branch, $37::integer[] FROM filed
),
told AS (
    INSERT INTO case_fact (event_id, case_id, branch, type, at, recorded_at, actor, details, traceparent)
    SELECT $38::text, id, branch, $39::text, $40::timestamptz, $41, $42, replace($43::text, $10::text, number)::jsonb,
        $44::text
    FROM filed
),
held AS (
    INSERT INTO custody (case_id, branch, person, department, since, how)
    SELECT id, branch, owner, department, received_at, 'registered' FROM filed
),
queued AS (
    INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, traceparent, body)
    SELECT $45, $46, $38::text, $39::text, $47, $48, $40::timestamptz, $44::text,
        convert_to(replace($49::text, $10::text, number), 'UTF8')
    FROM filed
)
SELECT number FROM filed;
