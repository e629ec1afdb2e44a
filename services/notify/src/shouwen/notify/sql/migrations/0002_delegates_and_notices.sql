-- Who stands in for whom, and notices to requesters, whose words and addresses rest encrypted.

CREATE TABLE delegation (
    delegation_id uuid PRIMARY KEY,
    branch text NOT NULL,
    principal text NOT NULL,
    delegate text NOT NULL,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cancelled boolean NOT NULL,
    described_at timestamptz NOT NULL
);
CREATE INDEX delegation_of_branch ON delegation (branch, ends_at) WHERE NOT cancelled;

ALTER TABLE delegation ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON delegation TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON delegation TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON delegation TO :"worker";

-- texts is empty where sealed_texts holds the words: those of a notice to a requester may name people.
ALTER TABLE message ADD COLUMN sealed_texts bytea;
-- Where a message goes whose recipient is not in the directory: a requester.
ALTER TABLE message ADD COLUMN address bytea;
