-- Whether what was forged may be a crime, and that it was reported to the judiciary (002 六5).
ALTER TABLE list_entry ADD COLUMN serious boolean NOT NULL DEFAULT false;
ALTER TABLE list_entry ADD CHECK (NOT serious OR client_id IS NOT NULL);

CREATE TABLE referral (
    client_id uuid PRIMARY KEY REFERENCES client,
    branch text NOT NULL,
    authority bytea NOT NULL,
    referred_at timestamptz NOT NULL,
    referred_by text NOT NULL,
    recorded_at timestamptz NOT NULL
);
ALTER TABLE referral ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON referral TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON referral TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON referral TO :"app";
