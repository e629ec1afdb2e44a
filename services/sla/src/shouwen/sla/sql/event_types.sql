-- name: event_types
-- The registered event types, each as it stands, after a key.
SELECT DISTINCT ON (event_type) event_type, document, registered_by, registered_at FROM event_type
WHERE event_type > $1 ORDER BY event_type, revision DESC LIMIT $2;

-- name: add_event_type
-- An event type, or one that has more fields now.
INSERT INTO event_type (event_type, revision, document, registered_by) VALUES ($1, $2, $3, $4);

-- name: get_event_type
-- One event type as it stands.
SELECT event_type, document, registered_by, registered_at FROM event_type
WHERE event_type = $1 ORDER BY revision DESC LIMIT 1;
