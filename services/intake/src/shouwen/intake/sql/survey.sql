-- name: add_survey
-- A requester is asked.
INSERT INTO survey (id, case_id, branch, invited_at, invited_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO NOTHING;

-- name: survey
-- One survey.
SELECT * FROM survey WHERE id = $1;

-- name: surveys
-- The surveys of a case, the latest first.
SELECT * FROM survey WHERE case_id = $1 ORDER BY invited_at DESC, id DESC;

-- name: latest_survey
-- The latest survey of a case.
SELECT * FROM survey WHERE case_id = $1 ORDER BY invited_at DESC, id DESC LIMIT 1;

-- name: latest_score
-- What the requester of a case answered last.
SELECT score FROM survey WHERE case_id = $1 AND score IS NOT NULL ORDER BY answered_at DESC, id DESC LIMIT 1;

-- name: answer_survey
-- The requester answered.
UPDATE survey SET answered_at = $2, score = $3, words = $4, led_to = $5 WHERE id = $1;

-- name: survey_summary
-- Per branch and month in which requesters were asked, by the branch's wall clock.
SELECT
    survey.branch,
    to_char(survey.invited_at AT TIME ZONE branch.time_zone, 'YYYY-MM') AS month,
    count(*) AS asked,
    count(survey.score) AS answered,
    avg(survey.score)::float8 AS average,
    count(*) FILTER (WHERE survey.score <= 2) AS dissatisfied
FROM survey JOIN branch ON branch.branch = survey.branch
WHERE ($1::text IS NULL OR survey.branch = $1)
    AND ($2::timestamptz IS NULL OR survey.invited_at >= $2)
    AND ($3::timestamptz IS NULL OR survey.invited_at < $3)
GROUP BY 1, 2
ORDER BY 1, 2;
