-- name: dossier
-- What else lies with a case: its parts that are open, and those that owe their answer; its latest investigation and
-- evaluation; whether it was decided, as a suggestion; and what is still to be put right or to follow.
SELECT
    ARRAY(
        SELECT number FROM cases AS part WHERE part.parent_id = $1 AND part.state = ANY($2::text[]) ORDER BY part.id
    ) AS open_parts,
    ARRAY(
        SELECT number FROM cases AS part
        WHERE part.parent_id = $1 AND part.state = ANY($2::text[]) AND part.replied_at IS NULL ORDER BY part.id
    ) AS unanswered_parts,
    coalesce((
        SELECT investigation.approved_at IS NULL FROM investigation
        WHERE investigation.case_id = $1 ORDER BY investigation.round DESC LIMIT 1
    ), false) AS is_under_investigation,
    EXISTS (
        SELECT FROM investigation WHERE investigation.case_id = $1 AND investigation.approved_at IS NOT NULL
    ) AS is_investigated,
    coalesce((
        SELECT investigation.finding = 'not_caused_by_us' AND investigation.explained_at IS NULL FROM investigation
        WHERE investigation.case_id = $1 ORDER BY investigation.round DESC LIMIT 1
    ), false) AS is_unexplained,
    EXISTS (SELECT FROM suggestion_decision WHERE suggestion_decision.case_id = $1) AS is_decided,
    (
        SELECT coalesce(evaluation.decision, 'undecided') FROM evaluation
        WHERE evaluation.case_id = $1 ORDER BY evaluation.requested_at DESC, evaluation.id DESC LIMIT 1
    ) AS evaluation,
    (
        SELECT count(*) FROM corrective_action
        WHERE corrective_action.case_id = $1 AND corrective_action.completed_at IS NULL
    ) AS open_actions,
    (SELECT count(*) FROM follow_up WHERE follow_up.case_id = $1 AND follow_up.done_at IS NULL) AS open_follow_ups;
