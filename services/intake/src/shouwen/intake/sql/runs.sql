-- name: add_run
-- The run of a case that ended, before the next begins.
INSERT INTO case_run (
    case_id, cycle, branch, state, owner, department, promised_at, acknowledged_at, replied_at, plan_delivered_at,
    found_malicious_at, ended_at, reopened_at, reopened_by, reason
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15);

-- name: runs
-- The earlier runs of a case, the first one first.
SELECT cycle, state, owner, department, promised_at, acknowledged_at, replied_at, plan_delivered_at,
    found_malicious_at, ended_at, reopened_at, reopened_by, reason
FROM case_run WHERE case_id = $1 ORDER BY cycle;
