-- name: undigested
-- Open suggestions of a branch that came in before a moment and are in no digest; others who look pass over them.
SELECT id FROM cases
WHERE type = 'suggestion' AND digest_id IS NULL AND branch = $1 AND received_at < $2 AND state = ANY($3::text[])
ORDER BY id LIMIT $4 FOR UPDATE SKIP LOCKED;

-- name: add_digest
-- A digest for a department.
INSERT INTO suggestion_digest (id, branch, department, made_at, made_by) VALUES ($1, $2, $3, $4, $5);

-- name: put_into_digest
-- The suggestions of a digest.
UPDATE cases SET digest_id = $1 WHERE id = ANY($2::uuid[]);

-- name: digests_page
-- Digests one may see, the newest first.
SELECT id, branch, department, made_at, made_by, ARRAY(
    SELECT (sorted.category, count(*)) FROM cases LEFT JOIN suggestion_category AS sorted ON sorted.case_id = cases.id
    WHERE cases.digest_id = suggestion_digest.id GROUP BY sorted.category ORDER BY sorted.category NULLS LAST
) AS categories
FROM suggestion_digest
WHERE ($1::uuid IS NULL OR id < $1) AND ($2::text IS NULL OR branch = $2) AND ($3::text IS NULL OR department = $3)
ORDER BY id DESC LIMIT $4;

-- name: digest
-- One digest.
SELECT id, branch, department, made_at, made_by, ARRAY(
    SELECT (sorted.category, count(*)) FROM cases LEFT JOIN suggestion_category AS sorted ON sorted.case_id = cases.id
    WHERE cases.digest_id = suggestion_digest.id GROUP BY sorted.category ORDER BY sorted.category NULLS LAST
) AS categories
FROM suggestion_digest WHERE id = $1;

-- name: digested_ids
-- The suggestions of a digest, of one category if that is asked for, the oldest first.
SELECT id FROM cases
WHERE digest_id = $1 AND ($2::uuid IS NULL OR id > $2) AND ($3::text IS NULL OR EXISTS (
    SELECT FROM suggestion_category AS sorted WHERE sorted.case_id = cases.id AND sorted.category = $3
))
ORDER BY id LIMIT $4;
