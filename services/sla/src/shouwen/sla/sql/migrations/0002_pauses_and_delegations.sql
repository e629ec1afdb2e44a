-- Extensions of clocks, subjects that change when time passes, and who stands in for whom.

-- More time that was approved, each with its reason and who approved it.
ALTER TABLE clock ADD COLUMN extensions jsonb NOT NULL DEFAULT '[]';

-- When the clocks of a subject change next without a fact and without firing: a pause ends by itself, a month begins.
ALTER TABLE subject ADD COLUMN wake_at timestamptz;
CREATE INDEX subject_wakes ON subject (wake_at) WHERE wake_at IS NOT NULL;

-- Who stands in for whom, and when, as the directory last described it (003 §10(二)).
CREATE TABLE delegation (
    delegation_id uuid PRIMARY KEY,
    branch        text NOT NULL,
    principal     text NOT NULL,
    delegate      text NOT NULL,
    starts_at     timestamptz NOT NULL,
    ends_at       timestamptz NOT NULL,
    cancelled     boolean NOT NULL
);
CREATE INDEX delegation_of ON delegation (principal, branch, starts_at) WHERE NOT cancelled;

ALTER TABLE delegation ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON delegation TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON delegation TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT ON delegation TO :"app";
GRANT SELECT, INSERT, UPDATE ON delegation TO :"worker";
-- People pause, resume and extend the clocks of their branches: each is a fact, and takes effect at once.
GRANT SELECT, INSERT, UPDATE ON subject TO :"app";
GRANT INSERT ON fact TO :"app";
GRANT INSERT, UPDATE ON clock TO :"app";
