-- name: end_custody
-- Whoever has the case has it until then; a time recorded later cannot lie before the link began.
UPDATE custody SET until = greatest(since, $2) WHERE case_id = $1 AND until IS NULL;

-- name: begin_custody
-- From now on this person has the case.
INSERT INTO custody (case_id, branch, person, department, since, how) VALUES ($1, $2, $3, $4, $5, $6);

-- name: chain
-- Who had a case, the first one first.
SELECT person, department, since, until, how FROM custody WHERE case_id = $1 ORDER BY id;

-- name: add_offer
-- A case is offered to another person.
INSERT INTO handover (
    id, case_id, branch, offered_by, owner, receiver, department, phone, reason, offered_at, answer_until, state
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'offered');

-- name: open_offer
-- The offer of a case that is not answered yet.
SELECT * FROM handover WHERE case_id = $1 AND state = 'offered';

-- name: offers
-- The offers of a case, the first one first.
SELECT * FROM handover WHERE case_id = $1 ORDER BY offered_at, id;

-- name: waiting_offers
-- What waits for an answer of a person, or of somebody for whom they stand in, the oldest first.
SELECT handover.*, cases.number, cases.subject FROM handover JOIN cases ON cases.id = handover.case_id
WHERE handover.state = 'offered' AND handover.answer_until > $2 AND ($3::uuid IS NULL OR handover.id > $3)
    AND (
        handover.receiver = $1 OR handover.receiver IN (
            SELECT principal FROM delegation
            WHERE delegate = $1 AND cancelled_at IS NULL AND starts_at <= $2 AND ends_at > $2
        )
    )
ORDER BY handover.id LIMIT $4;

-- name: answer_offer
-- What became of an offer.
UPDATE handover SET state = $2, answered_at = $3, answer = $4 WHERE id = $1;

-- name: overtake_offers
-- The case passed to somebody or ended otherwise: the offer stands no longer.
UPDATE handover SET state = 'overtaken', answered_at = $2 WHERE case_id = $1 AND state = 'offered';

-- name: lapsed_cases
-- Cases with an offer whose time to answer is over, the oldest first. The cases are locked before their offers.
SELECT case_id FROM handover WHERE state = 'offered' AND answer_until <= now() ORDER BY answer_until LIMIT $1;

-- name: standing_in
-- When somebody stood in for one of the persons who had a case.
SELECT principal, delegate, starts_at, ends_at FROM delegation
WHERE cancelled_at IS NULL AND principal IN (SELECT person FROM custody WHERE case_id = $1)
ORDER BY starts_at, id;

-- name: heard_clocks
-- What sla told about the clocks of a case, in the order of time.
SELECT type, at, details::text AS details FROM heard_fact
WHERE case_id = $1 AND source = '/shouwen/sla' AND type LIKE 'clock.%' ORDER BY at, event_id;
