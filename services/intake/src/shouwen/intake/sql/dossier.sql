-- name: dossier
-- What else lies with a case: its parts that are open, and those that owe their answer.
SELECT
    ARRAY(
        SELECT number FROM cases AS part WHERE part.parent_id = $1 AND part.state = ANY($2::text[]) ORDER BY part.id
    ) AS open_parts,
    ARRAY(
        SELECT number FROM cases AS part
        WHERE part.parent_id = $1 AND part.state = ANY($2::text[]) AND part.replied_at IS NULL ORDER BY part.id
    ) AS unanswered_parts;
