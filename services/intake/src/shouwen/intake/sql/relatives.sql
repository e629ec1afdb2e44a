-- name: relatives
-- The numbers of the cases that are linked to a case, and of those that were merged into it.
SELECT
    ARRAY(
        SELECT other.number FROM case_link
        JOIN cases AS other ON other.id = CASE WHEN case_link.case_id = $1 THEN case_link.other_id ELSE case_link.case_id END
        WHERE case_link.case_id = $1 OR case_link.other_id = $1
        ORDER BY other.number
    ) AS links,
    ARRAY(SELECT number FROM cases AS merged WHERE merged.merged_into = $1 ORDER BY merged.number) AS merged;

-- name: are_linked
-- Whether two cases are linked; the lower id stands first.
SELECT EXISTS (SELECT FROM case_link WHERE case_id = $1 AND other_id = $2);

-- name: add_link
-- Two cases are near to each other; the lower id stands first.
INSERT INTO case_link (case_id, other_id, branch, linked_by, linked_at) VALUES ($1, $2, $3, $4, $5);

-- name: parts
-- The parts of a split case, in their order.
SELECT * FROM cases WHERE parent_id = $1 ORDER BY id;

-- name: lock_open_parts
-- The open parts of a split case, held until this transaction ends.
SELECT * FROM cases WHERE parent_id = $1 AND state = ANY($2::text[]) ORDER BY id FOR UPDATE;

-- name: answers_of_parts
-- What the parts of a split case were answered with, the oldest first.
SELECT part.id, fact.at, fact.actor, fact.note FROM cases AS part JOIN case_fact AS fact ON fact.case_id = part.id
WHERE part.parent_id = $1 AND fact.type = 'case.replied.v1' AND fact.note IS NOT NULL
ORDER BY fact.at, fact.event_id;
