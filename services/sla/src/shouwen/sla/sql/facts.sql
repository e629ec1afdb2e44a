-- name: lock_subjects
-- Create or lock these subjects; sorted, so that two batches never wait in a circle.
INSERT INTO subject (branch, subject, facts)
SELECT branch, subject, facts FROM unnest($1::text[], $2::text[], $3::integer[]) AS heard (branch, subject, facts)
ORDER BY branch, subject
ON CONFLICT (branch, subject) DO UPDATE SET facts = subject.facts + excluded.facts
RETURNING branch, subject, facts, wake_at;

-- name: claim_woken
-- Subjects whose clocks change by the passing of time, held until the transaction ends; another replica passes them over.
SELECT branch, subject FROM subject WHERE wake_at <= statement_timestamp()
ORDER BY wake_at LIMIT $1 FOR UPDATE SKIP LOCKED;

-- name: set_wakes
-- Keep when these subjects change by themselves; null when they do not.
UPDATE subject SET wake_at = wakes.wake_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS wakes (branch, subject, wake_at)
WHERE subject.branch = wakes.branch AND subject.subject = wakes.subject;

-- name: add_facts
-- Keep facts as they came.
INSERT INTO fact (branch, subject, source, event_id, event_type, event_time, data, traceparent)
SELECT branch, subject, source, event_id, event_type, event_time, data::jsonb, traceparent
FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[])
     AS heard (branch, subject, source, event_id, event_type, event_time, data, traceparent)
ON CONFLICT DO NOTHING;

-- name: facts_of
-- Everything heard about these subjects.
SELECT branch, subject, source, event_id, event_type, event_time, data, traceparent
FROM fact JOIN unnest($1::text[], $2::text[]) AS wanted (branch, subject) USING (branch, subject);
