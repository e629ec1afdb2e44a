-- name: get_revision
-- The revision of the rules at present.
SELECT revision FROM rules_revision;

-- name: hold_revision
-- The same, and nobody changes a rule until the transaction ends.
SELECT revision FROM rules_revision FOR SHARE;

-- name: raise_revision
-- The next revision; waits for those who compute by the present one.
UPDATE rules_revision SET revision = revision + 1 RETURNING revision;
