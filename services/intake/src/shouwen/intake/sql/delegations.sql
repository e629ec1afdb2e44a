-- name: post
-- What of a person decides whether they can stand in.
SELECT person, branch, roles, active FROM person WHERE person = $1;

-- name: standing_delegations
-- The delegations of a branch that touch a period.
SELECT * FROM delegation
WHERE branch = $1 AND cancelled_at IS NULL AND starts_at < $3 AND ends_at > $2 ORDER BY starts_at, id;

-- name: standing_absences
-- The absences of a branch that touch a period.
SELECT * FROM absence
WHERE branch = $1 AND cancelled_at IS NULL AND starts_at < $3 AND ends_at > $2 ORDER BY starts_at, id;

-- name: add_delegation
-- Somebody stands in for another.
INSERT INTO delegation (id, branch, principal, delegate, starts_at, ends_at, cancelled_at, named_by, named_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: add_absence
-- Somebody is away.
INSERT INTO absence (id, branch, person, starts_at, ends_at, cancelled_at, delegation_id, recorded_by, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: save_delegation
-- A delegation with its true end.
UPDATE delegation SET ends_at = $2, cancelled_at = $3 WHERE id = $1;

-- name: save_absence
-- An absence with its true end.
UPDATE absence SET ends_at = $2, cancelled_at = $3 WHERE id = $1;

-- name: lock_delegation
-- A delegation, held until this transaction ends.
SELECT * FROM delegation WHERE id = $1 FOR UPDATE;

-- name: lock_absence
-- An absence, held until this transaction ends.
SELECT * FROM absence WHERE id = $1 FOR UPDATE;

-- name: delegations_page
-- A page of delegations, the newest first; each filter that is null lets everything through.
SELECT * FROM delegation
WHERE ($1::uuid IS NULL OR id < $1)
    AND ($2::text IS NULL OR branch = $2)
    AND ($3::text IS NULL OR principal = $3)
    AND ($4::text IS NULL OR delegate = $4)
    AND ($5::timestamptz IS NULL OR (cancelled_at IS NULL AND starts_at <= $5 AND ends_at > $5))
ORDER BY id DESC LIMIT $6;

-- name: absences_page
-- A page of absences, the newest first; each filter that is null lets everything through.
SELECT * FROM absence
WHERE ($1::uuid IS NULL OR id < $1)
    AND ($2::text IS NULL OR branch = $2)
    AND ($3::text IS NULL OR person = $3)
    AND ($4::timestamptz IS NULL OR (cancelled_at IS NULL AND starts_at <= $4 AND ends_at > $4))
ORDER BY id DESC LIMIT $5;

-- name: all_delegations
-- Every delegation one may see.
SELECT * FROM delegation ORDER BY id;

-- name: delegations_of
-- The delegations in which these persons still stand in, or are stood in for; held until this transaction ends.
SELECT * FROM delegation
WHERE (principal = ANY ($1::text[]) OR delegate = ANY ($1::text[])) AND cancelled_at IS NULL AND ends_at > $2
ORDER BY id FOR UPDATE;

-- name: delegates_of
-- Who stands in for a person at a moment: their delegate, that one's delegate, and so on. No circle is ever stored.
WITH RECURSIVE stand_in AS (
    SELECT delegate, 1 AS step FROM delegation
    WHERE principal = $1 AND cancelled_at IS NULL AND starts_at <= $2 AND ends_at > $2
    UNION ALL
    SELECT further.delegate, stand_in.step + 1 FROM stand_in
    JOIN delegation AS further ON further.principal = stand_in.delegate
        AND further.cancelled_at IS NULL AND further.starts_at <= $2 AND further.ends_at > $2
    WHERE stand_in.step < 20
)
SELECT delegate FROM stand_in ORDER BY step;

-- name: delegates_named
-- Whom each of several persons named to stand in at a moment; a person has one delegate at a time.
SELECT principal, delegate FROM delegation
WHERE principal = ANY ($1::text[]) AND cancelled_at IS NULL AND starts_at <= $2 AND ends_at > $2;
