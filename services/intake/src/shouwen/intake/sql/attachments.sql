-- name: attachments_of_case
-- The files of a case, the oldest first.
SELECT id, case_id, branch, name, media_type, size_bytes, sha256, place, data_key, added_at, added_by FROM attachment
WHERE case_id = $1 ORDER BY id;

-- name: attachment
-- One file of a case.
SELECT id, case_id, branch, name, media_type, size_bytes, sha256, place, data_key, added_at, added_by FROM attachment
WHERE case_id = $1 AND id = $2;

-- name: add_attachment
-- A file of a case; nothing comes back when the case has this content already.
INSERT INTO attachment (
    id, case_id, branch, name, media_type, size_bytes, sha256, place, data_key, added_at, added_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (case_id, sha256) DO NOTHING
RETURNING id;

-- name: hashes_of_case
-- The contents that a case has.
SELECT sha256 FROM attachment WHERE case_id = $1;
