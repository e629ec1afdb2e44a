-- name: schedules
-- The working hours that stand, or stood at an instant, of every branch that has its own.
SELECT branch, document, revision, set_by, set_at FROM (
    SELECT DISTINCT ON (branch) * FROM schedule
    WHERE $1::timestamptz IS NULL OR set_at <= $1 ORDER BY branch, revision DESC
) AS last WHERE document IS NOT NULL;

-- name: add_schedule
-- Working hours of a branch; null: office hours again.
INSERT INTO schedule (branch, revision, document, set_by) VALUES ($1, $2, $3, $4);

-- name: list_calendars
-- Branches a person may see, with the working hours that stand, after a key.
SELECT branch.branch, branch.name, branch.time_zone, last.document, last.set_by, last.set_at
FROM branch LEFT JOIN LATERAL (
    SELECT document, set_by, set_at FROM schedule WHERE schedule.branch = branch.branch ORDER BY revision DESC LIMIT 1
) AS last ON true
WHERE ($1::text IS NULL OR branch.branch = $1) AND branch.branch > $2 ORDER BY branch.branch LIMIT $3;

-- name: announcements
-- The announced years, each as it was last loaded, or was at an instant.
SELECT DISTINCT ON (year) year, document, loaded_by, loaded_at FROM announcement
WHERE year > $1 AND ($3::timestamptz IS NULL OR loaded_at <= $3) ORDER BY year, revision DESC LIMIT $2;

-- name: add_announcement
-- The announcement of a year.
INSERT INTO announcement (year, revision, document, loaded_by) VALUES ($1, $2, $3, $4);
