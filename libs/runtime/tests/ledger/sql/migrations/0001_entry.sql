-- What the test service has booked. Nothing is unique on purpose: a repeat that takes effect twice must show.
CREATE TABLE entry (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    branch   text NOT NULL,
    case_id  text NOT NULL,
    event_id text NOT NULL,
    what     text NOT NULL,
    place    integer NOT NULL CHECK (place < 1000000)
);
CREATE TABLE head (case_id text PRIMARY KEY, branch text NOT NULL, last integer NOT NULL);

ALTER TABLE entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY entry_app ON entry TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY entry_worker ON entry TO :"worker" USING (true) WITH CHECK (true);
ALTER TABLE head ENABLE ROW LEVEL SECURITY;
CREATE POLICY head_app ON head TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY head_worker ON head TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT ON entry TO :"app", :"worker";
GRANT SELECT, INSERT, UPDATE ON head TO :"app", :"worker";
