-- name: add_fact
-- A case's own fact.
INSERT INTO case_fact (event_id, case_id, branch, type, at, recorded_at, actor, details, traceparent, note)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10);

-- name: notes
-- The words that people recorded with a case's facts, the oldest first.
SELECT type, at, actor, note FROM case_fact WHERE case_id = $1 AND note IS NOT NULL ORDER BY at, event_id;

-- name: add_heard
-- A fact heard from another service; one already kept stays as it is.
INSERT INTO heard_fact (source, event_id, case_id, branch, type, at, heard_at, details, traceparent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9)
ON CONFLICT (source, event_id) DO NOTHING;

-- name: timeline_page
-- A case's own facts and what was heard of it, the oldest first, after a place in time.
SELECT at, event_id, source, type, details::text AS details, traceparent FROM (
    SELECT at, event_id, '/shouwen/intake' AS source, type, details, traceparent FROM case_fact WHERE case_id = $1
    UNION ALL
    SELECT at, event_id, source, type, details, traceparent FROM heard_fact WHERE case_id = $1
) AS entry
WHERE $2::timestamptz IS NULL OR (at, event_id) > ($2, $3::text)
ORDER BY at, event_id LIMIT $4;

-- name: earliest_due
-- The earliest limit that the policies set and that still runs for a case, as sla told it. A promise is none of them.
SELECT min(due_at) FROM (
    SELECT DISTINCT ON (details ->> 'clock_id') type, (details ->> 'due_at')::timestamptz AS due_at FROM heard_fact
    WHERE case_id = $1 AND details ->> 'target' <> 'promise' AND type IN (
        'clock.started.v1', 'clock.resumed.v1', 'clock.recalculated.v1', 'clock.met.v1', 'clock.cancelled.v1'
    )
    -- What is told of one instant: its end counts.
    ORDER BY details ->> 'clock_id', at DESC, type IN ('clock.met.v1', 'clock.cancelled.v1') DESC, event_id DESC
) AS clock
WHERE type NOT IN ('clock.met.v1', 'clock.cancelled.v1');

-- name: add_look
-- A look at unmasked personal data.
INSERT INTO look (at, person, case_id, branch, fields, trace_id) VALUES ($1, $2, $3, $4, $5, $6);
