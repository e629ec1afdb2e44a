-- name: claim_key
-- Take a caller's key for a request; nothing comes back when the key was taken before. Waits for a rival to end.
INSERT INTO idempotency_key (person, key, branch, request_hash, case_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person, key) DO NOTHING
RETURNING case_id;

-- name: claimed_key
-- What a caller's key was used for.
SELECT request_hash, case_id FROM idempotency_key WHERE person = $1 AND key = $2;
