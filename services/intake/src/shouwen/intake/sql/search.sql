-- name: newest
-- The newest cases of the branches one may see.
SELECT found.*, deadline.next_due_at
FROM branch AS b
CROSS JOIN LATERAL (
    SELECT c.* FROM cases AS c WHERE c.branch = b.branch /* filters */ ORDER BY c.id DESC LIMIT $1
) AS found
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = found.branch AND d.case_id = found.id AND d.open
) AS deadline ON true
ORDER BY found.id DESC LIMIT $1;

-- name: newest_received
-- The cases that came in last, in the branches one may see.
SELECT found.*, deadline.next_due_at
FROM branch AS b
CROSS JOIN LATERAL (
    SELECT c.* FROM cases AS c WHERE c.branch = b.branch /* filters */
    ORDER BY c.received_at DESC, c.id DESC LIMIT $1
) AS found
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = found.branch AND d.case_id = found.id AND d.open
) AS deadline ON true
ORDER BY found.received_at DESC, found.id DESC LIMIT $1;

-- name: by_number
-- Cases whose number lies in a range, the highest first.
SELECT found.*, deadline.next_due_at
FROM (SELECT c.* FROM cases AS c WHERE true /* filters */ ORDER BY c.number DESC LIMIT $1) AS found
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = found.branch AND d.case_id = found.id AND d.open
) AS deadline ON true
ORDER BY found.number DESC LIMIT $1;

-- name: of_one
-- The newest cases of one client, phone, address or owner.
SELECT found.*, deadline.next_due_at
FROM (SELECT c.* FROM cases AS c WHERE true /* filters */ ORDER BY c.id DESC LIMIT $1) AS found
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = found.branch AND d.case_id = found.id AND d.open
) AS deadline ON true
ORDER BY found.id DESC LIMIT $1;

-- name: due
-- The newest cases with an open deadline before $2, in the branches one may see; those below $3.
SELECT found.*
FROM branch AS b
CROSS JOIN LATERAL (
    SELECT c.*, open.next_due_at
    FROM (
        SELECT d.case_id, min(d.due_at) AS next_due_at FROM case_deadline AS d
        WHERE d.branch = b.branch AND d.open AND ($3::uuid IS NULL OR d.case_id < $3)
        GROUP BY d.case_id HAVING min(d.due_at) < $2::timestamptz
        ORDER BY d.case_id DESC
    ) AS open
    JOIN cases AS c ON c.id = open.case_id
    WHERE true /* filters */
    ORDER BY open.case_id DESC LIMIT $1
) AS found
ORDER BY found.id DESC LIMIT $1;

-- name: recent_words
-- Those of the newest $3 cases whose texts have all the grams $2. Words that are frequent fill a page from here.
SELECT c.*, deadline.next_due_at
FROM (
    SELECT recent.id
    FROM branch AS b
    CROSS JOIN LATERAL (
        SELECT c.id FROM cases AS c WHERE c.branch = b.branch /* filters */ ORDER BY c.id DESC LIMIT $3
    ) AS recent
    ORDER BY recent.id DESC LIMIT $3
) AS recent
-- OFFSET 0: for words that stand in a large part of all texts the index of words would be the long way.
JOIN LATERAL (SELECT seen.grams FROM case_text_seen AS seen WHERE seen.case_id = recent.id OFFSET 0) AS t
    ON t.grams @> $2::integer[]
JOIN cases AS c ON c.id = recent.id
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = c.branch AND d.case_id = c.id AND d.open
) AS deadline ON true
ORDER BY recent.id DESC LIMIT $1;

-- name: words
-- The newest cases whose texts have all the grams $2.
SELECT c.*, deadline.next_due_at
FROM case_text_seen AS t
JOIN cases AS c ON c.id = t.case_id
LEFT JOIN LATERAL (
    SELECT min(d.due_at) AS next_due_at FROM case_deadline AS d
    WHERE d.branch = c.branch AND d.case_id = c.id AND d.open
) AS deadline ON true
WHERE t.grams @> $2::integer[] /* filters */
ORDER BY t.case_id DESC LIMIT $1;

-- name: frequent_grams
-- Pairs of characters that stand in many texts.
SELECT shouwen_frequent_grams();

-- name: add_text
-- The grams of a case's texts.
INSERT INTO case_text (case_id, branch, grams) VALUES ($1, $2, $3) ON CONFLICT (case_id) DO NOTHING;

-- name: without_text
-- The next cases from $1 on: their texts, and whether they can be found by words.
SELECT c.id, c.branch, c.subject, c.description, t.case_id IS NOT NULL AS has_text
FROM (SELECT * FROM cases WHERE id > $1 ORDER BY id LIMIT $2) AS c LEFT JOIN case_text AS t ON t.case_id = c.id
ORDER BY c.id;

-- name: note_deadline
-- What a clock told about a case; an older word does not replace a newer one.
INSERT INTO case_deadline AS known (clock_id, case_id, branch, due_at, open, told_at)
SELECT clock_id, case_id, branch, coalesce(due_at, told_at), open, told_at
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::timestamptz[], $5::boolean[], $6::timestamptz[])
    AS told (clock_id, case_id, branch, due_at, open, told_at)
ORDER BY clock_id
ON CONFLICT (clock_id) DO UPDATE SET due_at = excluded.due_at, open = excluded.open, told_at = excluded.told_at
WHERE known.told_at <= excluded.told_at;

-- name: next_due_at
-- The earliest open deadline of a case.
SELECT min(due_at) FROM case_deadline WHERE branch = $1 AND case_id = $2 AND open;
