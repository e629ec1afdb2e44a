-- name: claim_group_event
-- Take an event of another system in; nothing comes back when it came before. Waits for a rival to end.
INSERT INTO group_event (source, event_id, branch, content_hash, accepted_by, accepted_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (source, event_id) DO NOTHING
RETURNING event_id;

-- name: claimed_group_event
-- The content of an event that came before.
SELECT content_hash FROM group_event WHERE source = $1 AND event_id = $2;
