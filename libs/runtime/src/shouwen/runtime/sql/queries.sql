-- name: begin_person
-- Open a person's transaction: the branches that row-level security lets through, and the time.
SELECT set_config('shouwen.branches', $1, true), transaction_timestamp() AS now;

-- name: begin_worker
-- Open a transaction of the event path.
SELECT transaction_timestamp() AS now;

-- name: add_outgoing
-- Queue records for the relay.
INSERT INTO outbox (stream, key, event_id, event_type, source, subject, event_time, traceparent, headers, body)
SELECT stream, key, event_id, event_type, source, subject, event_time, traceparent, headers::jsonb, body
FROM unnest($1::text[], $2::bytea[], $3::text[], $4::text[], $5::text[], $6::text[], $7::timestamptz[],
            $8::text[], $9::text[], $10::bytea[])
     WITH ORDINALITY AS record (stream, key, event_id, event_type, source, subject, event_time, traceparent,
                                headers, body, place)
ORDER BY place;

-- name: oldest_outgoing
-- The oldest records of these shards, in their order, without streams that are held up.
SELECT seq, shard, stream, key, event_id, event_type, source, subject, event_time, traceparent, headers, body, created_at
FROM outbox WHERE shard = ANY ($1::smallint[]) AND stream <> ALL ($2::text[]) ORDER BY seq LIMIT $3;

-- name: delete_outgoing
-- Forget records that the brokers have.
DELETE FROM outbox WHERE seq = ANY ($1::bigint[]);

-- name: outgoing_backlog
-- How many records wait to be sent, and since when the oldest.
SELECT count(*) AS pending, min(created_at) AS oldest, transaction_timestamp() AS now FROM outbox;

-- name: try_shard
-- Take a shard of the outbox for this session; false when another relay has it.
SELECT pg_try_advisory_lock($1, $2);

-- name: release_shard
-- Give a shard of the outbox back.
SELECT pg_advisory_unlock($1, $2);

-- name: announce_relay
-- Say that this session relays; relays share this lock and count each other by it.
SELECT pg_advisory_lock_shared($1, $2);

-- name: count_relays
-- How many sessions relay in this database.
SELECT count(DISTINCT pid) FROM pg_locks
WHERE locktype = 'advisory' AND granted AND classid = $1::oid AND objid = $2::oid
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database());

-- name: claim_events
-- Note events as handled; only those not noted before come back. Sorted, so that two batches never wait in a circle.
INSERT INTO inbox (source, event_id, event_time)
SELECT source, event_id, event_time
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS event (source, event_id, event_time)
ORDER BY source, event_id, event_time
ON CONFLICT DO NOTHING
RETURNING source, event_id, event_time;

-- name: maintain_inbox
-- Create partitions ahead and drop those past keeping.
SELECT action, partition FROM shouwen_inbox_maintain($1, $2);

-- name: add_dead_letter
-- Set a record aside; nothing comes back when it was set aside before.
INSERT INTO dead_letter (origin, stream, partition, record_offset, fingerprint, key, headers, body, event_id,
                         event_type, source, subject, traceparent, error, detail, field, location)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
ON CONFLICT (stream, partition, record_offset, fingerprint) DO NOTHING
RETURNING id;

-- name: list_dead_letters
-- Dead letters, newest first, without their contents.
SELECT id, origin, stream, partition, record_offset, event_id, event_type, source, subject, traceparent, error, detail,
       field, location, attempts, failed_at, replayed_at, replayed_by, octet_length(body) AS body_bytes
FROM dead_letter
WHERE ($1::bigint IS NULL OR id < $1) AND ($2::boolean OR replayed_at IS NULL)
ORDER BY id DESC LIMIT $3;

-- name: get_dead_letter
-- One dead letter with its contents.
SELECT * FROM dead_letter WHERE id = $1;

-- name: lock_dead_letter
-- One dead letter, held until the replay is decided.
SELECT * FROM dead_letter WHERE id = $1 FOR UPDATE;

-- name: mark_replayed
-- The record was handled after all.
UPDATE dead_letter SET replayed_at = transaction_timestamp(), replayed_by = $2, attempts = attempts + 1 WHERE id = $1;

-- name: mark_failed_again
-- The replay failed too; the new reason replaces the old.
UPDATE dead_letter SET attempts = attempts + 1, error = $2, detail = $3, field = $4, location = $5,
                       failed_at = transaction_timestamp()
WHERE id = $1;

-- name: count_dead_letters
-- Dead letters that wait for a person.
SELECT count(*) FROM dead_letter WHERE replayed_at IS NULL;
