-- name: save_delegation
-- A delegation as the directory last described it.
INSERT INTO delegation (delegation_id, branch, principal, delegate, starts_at, ends_at, cancelled)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (delegation_id) DO UPDATE SET
    branch = excluded.branch, principal = excluded.principal, delegate = excluded.delegate,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, cancelled = excluded.cancelled;

-- name: delegates_of
-- Who stood in for each of these persons at an instant, in whichever branch they work; fire_due in timers.sql finds the same.
SELECT (SELECT delegate FROM delegation
        WHERE delegation.principal = asked.owner AND NOT cancelled
          AND starts_at <= asked.at AND ends_at > asked.at
        ORDER BY starts_at DESC, delegation_id LIMIT 1) AS delegate
FROM unnest($1::text[], $2::timestamptz[]) WITH ORDINALITY AS asked (owner, at, place)
ORDER BY place;
