-- name: add_proposal
-- Somebody holds a complaint to be malicious.
INSERT INTO malicious_finding (id, case_id, branch, proposed_by, proposed_at, reason, state)
VALUES ($1, $2, $3, $4, $5, $6, 'proposed');

-- name: open_proposal
-- The proposal that waits for a second person.
SELECT * FROM malicious_finding WHERE case_id = $1 AND state = 'proposed';

-- name: decide
-- What a second person made of a proposal.
UPDATE malicious_finding SET state = $2, decided_by = $3, decided_at = $4, decision = $5 WHERE id = $1;

-- name: proposals
-- All proposals about a case, the first one first.
SELECT * FROM malicious_finding WHERE case_id = $1 ORDER BY proposed_at, id;
