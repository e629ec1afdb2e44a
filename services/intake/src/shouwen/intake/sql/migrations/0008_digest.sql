-- The weekly digest of suggestions for each department (002 七(四)2); a suggestion goes into one digest.
CREATE TABLE suggestion_digest (
    id uuid PRIMARY KEY,
    branch text NOT NULL REFERENCES branch,
    department text NOT NULL,
    made_at timestamptz NOT NULL,
    made_by text
);
CREATE INDEX suggestion_digest_by_branch ON suggestion_digest (branch, id DESC);
ALTER TABLE cases ADD COLUMN digest_id uuid REFERENCES suggestion_digest;
CREATE INDEX cases_without_digest ON cases (branch, received_at) WHERE type = 'suggestion' AND digest_id IS NULL;
CREATE INDEX cases_by_digest ON cases (digest_id, id) WHERE digest_id IS NOT NULL;

ALTER TABLE suggestion_digest ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON suggestion_digest TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON suggestion_digest TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON suggestion_digest TO :"app";
GRANT SELECT, INSERT ON suggestion_digest TO :"worker";
