-- The work on a case: investigation, corrective actions, remedies, evaluations, decisions on suggestions, surveys, and
-- what lets the requester see the progress. bytea columns hold words of people, encrypted by the service.

-- The investigations of a case, one row a round; a round that was ruled on is history (002 七(四)3; 001 §23).
CREATE TABLE investigation (
    case_id uuid NOT NULL REFERENCES cases,
    round integer NOT NULL,
    branch text NOT NULL,
    investigator text NOT NULL,
    complained_of text[] NOT NULL,
    opened_at timestamptz NOT NULL,
    opened_by text NOT NULL,
    finding text,
    found_at timestamptz,
    reasoning bytea,
    approved_at timestamptz,
    approved_by text,
    ruling bytea,
    explained_at timestamptz,
    explained_by text,
    explanation bytea,
    help_offered bytea,
    PRIMARY KEY (case_id, round),
    -- Nobody investigates a complaint of themselves, nor approves it, nor approves their own finding.
    CHECK (investigator <> ALL (complained_of)),
    CHECK (approved_by IS NULL OR (approved_by <> investigator AND approved_by <> ALL (complained_of)))
);

-- What an investigator found out, as it was written down. Nobody who serves may change or delete one.
CREATE TABLE investigation_fact (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    round integer NOT NULL,
    branch text NOT NULL,
    recorded_at timestamptz NOT NULL,
    recorded_by text NOT NULL,
    words bytea NOT NULL,
    FOREIGN KEY (case_id, round) REFERENCES investigation
);
CREATE INDEX investigation_fact_by_case ON investigation_fact (case_id, round, recorded_at);

-- What somebody has to put right after a ruling, and until when.
CREATE TABLE corrective_action (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    round integer NOT NULL,
    branch text NOT NULL,
    task bytea NOT NULL,
    owner text NOT NULL,
    due_at timestamptz NOT NULL,
    assigned_at timestamptz NOT NULL,
    assigned_by text NOT NULL,
    completed_at timestamptz,
    completed_by text,
    outcome bytea,
    FOREIGN KEY (case_id, round) REFERENCES investigation
);
CREATE INDEX corrective_action_by_case ON corrective_action (case_id, assigned_at);
CREATE INDEX corrective_action_open ON corrective_action (owner, due_at) WHERE completed_at IS NULL;

-- Apologies, compensations and follow-up services given to a requester (001 §17(三)). Amounts in yuan.
CREATE TABLE remedy (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    remedy text NOT NULL,
    amount numeric(12, 2),
    words bytea,
    given_at timestamptz NOT NULL,
    recorded_by text NOT NULL
);
CREATE INDEX remedy_by_case ON remedy (case_id, given_at);

-- What is to follow after a remedy or a dissatisfied answer: somebody gets in touch with the requester until a day.
CREATE TABLE follow_up (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    reason text NOT NULL,
    owner text NOT NULL,
    due_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL,
    done_at timestamptz,
    done_by text,
    words bytea
);
CREATE INDEX follow_up_by_case ON follow_up (case_id, opened_at);
CREATE INDEX follow_up_open ON follow_up (owner, due_at) WHERE done_at IS NULL;

-- Requests outside the contract, judged before anything is promised (000 §17, 001 §8). Amounts in yuan.
CREATE TABLE evaluation (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    request bytea NOT NULL,
    client_value text NOT NULL,
    importance text NOT NULL,
    cost numeric(14, 2) NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by text NOT NULL,
    decision text,
    decided_at timestamptz,
    decided_by text,
    price numeric(14, 2),
    conditions bytea,
    reason bytea,
    CHECK (decided_by IS NULL OR decided_by <> requested_by)
);
CREATE INDEX evaluation_by_case ON evaluation (case_id, requested_at);
CREATE UNIQUE INDEX evaluation_undecided ON evaluation (case_id) WHERE decision IS NULL;

-- Whether a suggestion is adopted, and by whose decision (002 七(四)2).
CREATE TABLE suggestion_decision (
    case_id uuid PRIMARY KEY REFERENCES cases,
    branch text NOT NULL,
    adopted boolean NOT NULL,
    reason bytea NOT NULL,
    decided_at timestamptz NOT NULL,
    decided_by text NOT NULL,
    sent_at timestamptz
);

-- How satisfied requesters are with what became of their matter (001 §21).
CREATE TABLE survey (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    invited_at timestamptz NOT NULL,
    invited_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    answered_at timestamptz,
    score smallint CHECK (score BETWEEN 1 AND 5),
    words bytea,
    led_to text,
    CHECK ((answered_at IS NULL) = (score IS NULL))
);
CREATE INDEX survey_by_case ON survey (case_id, invited_at);
CREATE INDEX survey_by_branch ON survey (branch, invited_at);

-- The secret code with which a requester sees the progress of a case (000 §19): a slow keyed hash of it only.
CREATE TABLE progress_code (
    case_id uuid PRIMARY KEY REFERENCES cases,
    branch text NOT NULL,
    salt bytea NOT NULL,
    hash bytea NOT NULL,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL
);

-- How often the public asked, by keyed hash of the address or the number asked for, in windows of time.
CREATE TABLE public_attempt (
    bucket text NOT NULL,
    began_at timestamptz NOT NULL,
    attempts integer NOT NULL,
    PRIMARY KEY (bucket, began_at)
);
CREATE INDEX public_attempt_by_age ON public_attempt (began_at);

ALTER TABLE investigation ENABLE ROW LEVEL SECURITY;
ALTER TABLE investigation_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE corrective_action ENABLE ROW LEVEL SECURITY;
ALTER TABLE remedy ENABLE ROW LEVEL SECURITY;
ALTER TABLE follow_up ENABLE ROW LEVEL SECURITY;
ALTER TABLE evaluation ENABLE ROW LEVEL SECURITY;
ALTER TABLE suggestion_decision ENABLE ROW LEVEL SECURITY;
ALTER TABLE survey ENABLE ROW LEVEL SECURITY;
ALTER TABLE progress_code ENABLE ROW LEVEL SECURITY;
ALTER TABLE public_attempt ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON investigation TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON investigation_fact TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON corrective_action TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON remedy TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON follow_up TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON evaluation TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON suggestion_decision TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON survey TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON progress_code TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON investigation TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON investigation_fact TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON corrective_action TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON remedy TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON follow_up TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON evaluation TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON suggestion_decision TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON survey TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON progress_code TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON public_attempt TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON investigation, corrective_action, follow_up, evaluation, survey, progress_code TO :"app";
GRANT SELECT, INSERT ON investigation_fact, remedy, suggestion_decision TO :"app";

GRANT SELECT ON
    investigation, investigation_fact, corrective_action, remedy, follow_up, evaluation, suggestion_decision, survey
TO :"worker";
GRANT SELECT, INSERT, UPDATE, DELETE ON public_attempt TO :"worker";
