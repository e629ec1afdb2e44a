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
