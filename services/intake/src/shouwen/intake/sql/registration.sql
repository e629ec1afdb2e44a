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

-- name: grounds
-- What registrations stand on, each in its place, and whether their callers' keys were used before. Whoever asks sees the
-- branches $1: nothing below is read before they are set, which the condition on them sees to.
WITH opened AS MATERIALIZED (
    SELECT set_config('shouwen.branches', $1, true) AS branches
)
SELECT transaction_timestamp() AS now, found.*
FROM opened
CROSS JOIN LATERAL (
    SELECT
        NOT EXISTS (
            SELECT FROM idempotency_key AS used WHERE used.person = asked.person AND used.key = asked.key
        ) AS is_new,
        branch.number_prefix, branch.time_zone, owner.person AS owner, owner.department, entry.list_entry_id,
        entry.reason_code
    FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
        WITH ORDINALITY AS asked (person, key, branch, owner, identifier_hash, place)
    LEFT JOIN branch ON branch.branch = asked.branch
    LEFT JOIN person AS owner ON owner.person = asked.owner AND owner.branch = asked.branch AND owner.active
    LEFT JOIN LATERAL (
        SELECT list_entry_id, reason_code FROM listed_client
        WHERE identifier_hash = asked.identifier_hash AND delisted_at IS NULL AND listed_at IS NOT NULL
        ORDER BY listed_at, list_entry_id LIMIT 1
    ) AS entry ON true
    WHERE opened.branches IS NOT NULL
    ORDER BY place
    OFFSET 0
) AS found;

-- name: file_at_once
-- Take the callers' keys and the next numbers, file the cases, and queue their events: a transaction of one statement,
-- so that a branch's next registrations wait for the database only. A case whose key was taken before is left out.
-- Whoever asks sees the branches $1: the row that carries them comes before every row that is written.
-- The number stands as $3 in the values; it is built as domain/numbering.py does. Keys and counters are taken in order,
-- so that two of these statements never wait in a circle.
WITH opened AS MATERIALIZED (
    SELECT set_config('shouwen.branches', $1, true)
),
entry AS MATERIALIZED (
    SELECT entry.*
    FROM opened, json_to_recordset($2::json) AS entry (
        id uuid, key text, request_hash text, number_prefix text, year integer, number text, branch text, type text,
        severity text, channel text, relation text, state text, received_at timestamptz, registered_at timestamptz,
        registrar text, owner text, department text, promised_at timestamptz, traceparent text, subject text,
        description text, requester_name text, requester_phone text, requester_phone_hash text, client_name text,
        client_identifier text, client_identifier_hash text, requester_email text, requester_email_hash text,
        grams integer[], event_id text, event_type text, event_time timestamptz, details text, stream text,
        event_key text, event_source text, event_subject text, body text
    )
),
claimed AS (
    INSERT INTO idempotency_key (person, key, branch, request_hash, case_id, created_at)
    SELECT registrar, key, branch, request_hash, id, registered_at FROM entry ORDER BY registrar, key
    ON CONFLICT (person, key) DO NOTHING
    RETURNING case_id
),
fresh AS (
    SELECT entry.*, row_number() OVER series AS nth, count(*) OVER (PARTITION BY branch, year) AS together
    FROM entry JOIN claimed ON claimed.case_id = entry.id
    WINDOW series AS (PARTITION BY branch, year ORDER BY registered_at, id)
),
taken AS (
    INSERT INTO number_counter (branch, year, last)
    SELECT branch, year, count(*) FROM fresh GROUP BY branch, year ORDER BY branch, year
    ON CONFLICT (branch, year) DO UPDATE SET last = number_counter.last + excluded.last
    RETURNING branch, year, last
),
numbered AS MATERIALIZED (
    SELECT
        fresh.*,
        number_prefix || '-' || year || '-' || lpad(place::text, greatest(6, length(place::text)), '0') AS given
    FROM fresh
    JOIN taken USING (branch, year)
    CROSS JOIN LATERAL (SELECT taken.last - fresh.together + fresh.nth AS place) AS series
),
filed AS (
    INSERT INTO cases (
        id, number, branch, type, severity, channel, relation, state, received_at, registered_at, registrar, owner,
        department, promised_at, traceparent, subject, description, requester_name, requester_phone,
        requester_phone_hash, client_name, client_identifier, client_identifier_hash, requester_email,
        requester_email_hash
    )
    SELECT
        id, replace(number, $3, given), branch, type, severity, channel, relation, state, received_at, registered_at,
        registrar, owner, department, promised_at, traceparent, decode(subject, 'hex'), decode(description, 'hex'),
        decode(requester_name, 'hex'), decode(requester_phone, 'hex'), requester_phone_hash, decode(client_name, 'hex'),
        decode(client_identifier, 'hex'), client_identifier_hash, decode(requester_email, 'hex'), requester_email_hash
    FROM numbered
),
worded AS (
    INSERT INTO case_text (case_id, branch, grams) SELECT id, branch, grams FROM numbered
),
told AS (
    INSERT INTO case_fact (event_id, case_id, branch, type, at, recorded_at, actor, details, traceparent)
    SELECT
        event_id, id, branch, event_type, event_time, registered_at, registrar, replace(details, $3, given)::jsonb,
        traceparent
    FROM numbered
),
held AS (
    INSERT INTO custody (case_id, branch, person, department, since, how)
    SELECT id, branch, owner, department, received_at, 'registered' FROM numbered
),
queued AS (
    INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, traceparent, body)
    SELECT
        stream, decode(event_key, 'hex'), event_id, event_type, event_source, event_subject, event_time, traceparent,
        convert_to(replace(body, $3, given), 'UTF8')
    FROM numbered
)
SELECT id, given AS number FROM numbered;
