-- name: listed_entry
-- The oldest live list entry of an identifier.
SELECT list_entry_id, reason_code FROM listed_client
WHERE identifier_hash = $1 AND delisted_at IS NULL AND listed_at IS NOT NULL
ORDER BY listed_at, list_entry_id LIMIT 1;

-- name: list_client
-- A client came onto the list; an entry whose removal was heard first stays removed.
INSERT INTO listed_client (list_entry_id, branch, identifier_hash, reason_code, listed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (list_entry_id) DO UPDATE SET listed_at = excluded.listed_at
RETURNING delisted_at IS NULL AS stands;

-- name: delist_client
-- A client left the list.
INSERT INTO listed_client (list_entry_id, branch, identifier_hash, reason_code, delisted_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (list_entry_id) DO UPDATE SET delisted_at = excluded.delisted_at;

-- name: lift_marks
-- The list entry no longer stands: its marks are history.
UPDATE case_mark SET lifted_at = $2 WHERE list_entry_id = $1 AND lifted_at IS NULL;

-- name: marks
-- The marks of a case, the oldest first.
SELECT mark, list_entry_id, reason_code, marked_at, lifted_at FROM case_mark
WHERE case_id = $1 ORDER BY marked_at, mark, list_entry_id;

-- name: add_mark
-- A mark for a list entry; one already there stays as it is.
INSERT INTO case_mark (case_id, mark, list_entry_id, branch, reason_code, marked_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (case_id, mark, list_entry_id) DO NOTHING;
