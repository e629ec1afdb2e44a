-- name: latest_investigation
-- The latest round of a case's investigation.
SELECT * FROM investigation WHERE case_id = $1 ORDER BY round DESC LIMIT 1;

-- name: investigations
-- Every round of a case's investigation, the latest first.
SELECT * FROM investigation WHERE case_id = $1 ORDER BY round DESC;

-- name: save_investigation
-- A round as it is now, without its words.
INSERT INTO investigation (
    case_id, round, branch, investigator, complained_of, opened_at, opened_by,
    finding, found_at, approved_at, approved_by, explained_at, explained_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
ON CONFLICT (case_id, round) DO UPDATE SET
    investigator = excluded.investigator, complained_of = excluded.complained_of,
    finding = excluded.finding, found_at = excluded.found_at,
    approved_at = excluded.approved_at, approved_by = excluded.approved_by,
    explained_at = excluded.explained_at, explained_by = excluded.explained_by;

-- name: save_reasoning
-- Why the investigator came to the finding.
UPDATE investigation SET reasoning = $3 WHERE case_id = $1 AND round = $2;

-- name: save_ruling
-- What was ruled.
UPDATE investigation SET ruling = $3 WHERE case_id = $1 AND round = $2;

-- name: save_explanation
-- What the client was told about what we did not cause, and the help offered.
UPDATE investigation SET explanation = $3, help_offered = $4 WHERE case_id = $1 AND round = $2;

-- name: add_investigation_fact
-- What the investigator found out.
INSERT INTO investigation_fact (id, case_id, round, branch, recorded_at, recorded_by, words)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- name: investigation_facts
-- What was found out in every round, the oldest first.
SELECT id, round, recorded_at, recorded_by, words FROM investigation_fact
WHERE case_id = $1 ORDER BY recorded_at, id;

-- name: has_investigation_facts
-- Whether anything was found out in a round.
SELECT EXISTS (SELECT FROM investigation_fact WHERE case_id = $1 AND round = $2);

-- name: add_action
-- Something to put right.
INSERT INTO corrective_action (id, case_id, round, branch, task, owner, due_at, assigned_at, assigned_by)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9);

-- name: actions
-- What is to be put right after a case, the oldest first.
SELECT * FROM corrective_action WHERE case_id = $1 ORDER BY assigned_at, id;

-- name: action
-- One thing to be put right.
SELECT * FROM corrective_action WHERE case_id = $1 AND id = $2;

-- name: complete_action
-- It was put right.
UPDATE corrective_action SET completed_at = $2, completed_by = $3, outcome = $4 WHERE id = $1;
