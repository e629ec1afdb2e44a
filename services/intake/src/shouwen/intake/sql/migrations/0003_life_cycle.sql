-- The life of a case beyond its first answer: pauses, further runs, parts, merges, findings; and who held it when.

ALTER TABLE cases
    ADD COLUMN acknowledged_at timestamptz,
    ADD COLUMN pause_reason text,
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN expected_until timestamptz,
    ADD COLUMN cycle integer NOT NULL DEFAULT 1,
    ADD COLUMN found_malicious_at timestamptz,
    ADD COLUMN parent_id uuid REFERENCES cases,
    ADD COLUMN parts integer NOT NULL DEFAULT 0,
    ADD COLUMN merged_into uuid REFERENCES cases,
    ADD COLUMN merged_into_number text;
CREATE INDEX cases_by_parent ON cases (parent_id, id) WHERE parent_id IS NOT NULL;
CREATE INDEX cases_waiting ON cases (expected_until) WHERE expected_until IS NOT NULL;
CREATE INDEX cases_by_survivor ON cases (merged_into, id) WHERE merged_into IS NOT NULL;

-- The earlier runs of a case that was taken up again: what each came to, and when. Never changed.
CREATE TABLE case_run (
    case_id uuid NOT NULL REFERENCES cases,
    cycle integer NOT NULL,
    branch text NOT NULL,
    state text NOT NULL,
    owner text NOT NULL,
    department text,
    promised_at timestamptz,
    acknowledged_at timestamptz,
    replied_at timestamptz,
    plan_delivered_at timestamptz,
    found_malicious_at timestamptz,
    ended_at timestamptz,
    reopened_at timestamptz NOT NULL,
    reopened_by text NOT NULL,
    reason text NOT NULL,
    PRIMARY KEY (case_id, cycle)
);

-- Who was responsible for a case, from when until when, and how they came to it; from the receipt on, without a gap.
CREATE TABLE custody (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    person text NOT NULL,
    department text,
    since timestamptz NOT NULL,
    until timestamptz,
    how text NOT NULL
);
CREATE UNIQUE INDEX custody_now ON custody (case_id) WHERE until IS NULL;
CREATE INDEX custody_by_case ON custody (case_id, id);

-- Cases of before this table: their chain as their facts tell it.
INSERT INTO custody (case_id, branch, person, department, since, until, how)
SELECT
    case_id, branch, person, department, since,
    coalesce(lead(since) OVER (PARTITION BY case_id ORDER BY since, event_id), CASE WHEN ended_at IS NOT NULL THEN greatest(since, ended_at) END), how
FROM (
    SELECT
        cases.id AS case_id, cases.branch, fact.event_id, cases.ended_at,
        fact.details ->> 'owner' AS person, fact.details ->> 'department' AS department,
        CASE WHEN fact.type = 'case.registered.v1' THEN cases.received_at ELSE fact.at END AS since,
        CASE WHEN fact.type = 'case.registered.v1' THEN 'registered' ELSE 'assigned' END AS how
    FROM cases JOIN case_fact AS fact ON fact.case_id = cases.id
    WHERE fact.type IN ('case.registered.v1', 'case.assigned.v1')
) AS passed
ORDER BY case_id, since, event_id;

-- A case offered to another person: until it is accepted, who offered it stays responsible. Open offers lapse in time.
CREATE TABLE handover (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    offered_by text NOT NULL,
    owner text NOT NULL,
    receiver text NOT NULL,
    department text,
    phone bytea,
    reason bytea NOT NULL,
    offered_at timestamptz NOT NULL,
    answer_until timestamptz NOT NULL,
    state text NOT NULL CHECK (state IN ('offered', 'accepted', 'returned', 'lapsed', 'overtaken')),
    answered_at timestamptz,
    answer bytea
);
CREATE UNIQUE INDEX handover_open ON handover (case_id) WHERE state = 'offered';
CREATE INDEX handover_by_case ON handover (case_id, offered_at);
CREATE INDEX handover_to_lapse ON handover (answer_until) WHERE state = 'offered';

-- What one person holds a complaint to be, and what a second person made of it (002 七(二)). Kept also when rejected.
CREATE TABLE malicious_finding (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    reason bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'confirmed', 'rejected')),
    decided_by text CHECK (decided_by <> proposed_by),
    decided_at timestamptz,
    decision bytea
);
CREATE UNIQUE INDEX malicious_finding_open ON malicious_finding (case_id) WHERE state = 'proposed';
CREATE INDEX malicious_finding_by_case ON malicious_finding (case_id, proposed_at);

-- Cases that are near to each other, as somebody saw; each pair stands once, the lower id first.
CREATE TABLE case_link (
    case_id uuid NOT NULL REFERENCES cases,
    other_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    linked_by text NOT NULL,
    linked_at timestamptz NOT NULL,
    PRIMARY KEY (case_id, other_id),
    CHECK (case_id < other_id)
);
CREATE INDEX case_link_by_other ON case_link (other_id);

ALTER TABLE case_run ENABLE ROW LEVEL SECURITY;
ALTER TABLE custody ENABLE ROW LEVEL SECURITY;
ALTER TABLE handover ENABLE ROW LEVEL SECURITY;
ALTER TABLE malicious_finding ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_link ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON case_run TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON custody TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON handover TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON malicious_finding TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON case_link TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON case_run TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON custody TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON handover TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON malicious_finding TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON case_link TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON case_run, case_link TO :"app", :"worker";
GRANT SELECT, INSERT ON custody, handover, malicious_finding TO :"app", :"worker";
GRANT UPDATE (until) ON custody TO :"app", :"worker";
GRANT UPDATE (state, answered_at, answer) ON handover TO :"app", :"worker";
GRANT UPDATE (state, decided_by, decided_at, decision) ON malicious_finding TO :"app", :"worker";
