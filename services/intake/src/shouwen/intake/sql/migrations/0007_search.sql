-- Finding cases among many: by their words, by what is due, by the beginning of their number.

-- A prefix of a number is a range of the index only where texts are compared byte by byte.
ALTER TABLE cases ALTER COLUMN number TYPE text COLLATE "C";

CREATE INDEX cases_by_state ON cases (branch, state, id DESC);
CREATE INDEX cases_by_department ON cases (branch, department, id DESC) WHERE department IS NOT NULL;
CREATE INDEX cases_by_receipt ON cases (branch, received_at DESC, id DESC);

-- Keyed hashes of the pairs of characters in subject and description, by which words are found in encrypted texts.
-- A case without a row here is not found by words; the service adds the rows of older cases when it starts.
CREATE TABLE case_text (
    case_id uuid PRIMARY KEY REFERENCES cases,
    branch text NOT NULL,
    grams integer[] NOT NULL
);
CREATE INDEX case_text_by_gram ON case_text USING gin (grams);

-- The rows that one may see. Under a row-level policy the array operators could not use the index (they are not
-- leakproof), so this view, which reads as the owner, brings the same condition itself.
CREATE VIEW case_text_seen AS SELECT case_id, branch, grams FROM case_text WHERE shouwen_may_see(branch);

-- The deadlines of cases as the clocks told them last. The case need not be known yet.
CREATE TABLE case_deadline (
    clock_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    branch text NOT NULL,
    due_at timestamptz NOT NULL,
    open boolean NOT NULL,
    told_at timestamptz NOT NULL
);
CREATE INDEX case_deadline_open ON case_deadline (branch, case_id DESC, due_at) WHERE open;

ALTER TABLE case_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_deadline ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON case_text TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON case_deadline TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON case_text TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON case_deadline TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT ON case_text_seen, case_deadline TO :"app";
GRANT INSERT ON case_text TO :"app";
GRANT SELECT, INSERT ON case_text TO :"worker";
GRANT SELECT, INSERT, UPDATE ON case_deadline TO :"worker";

-- What the clocks told before this table was there.
INSERT INTO case_deadline (clock_id, case_id, branch, due_at, open, told_at)
SELECT DISTINCT ON (details ->> 'clock_id')
    (details ->> 'clock_id')::uuid, case_id, branch, (details ->> 'due_at')::timestamptz,
    type NOT IN ('clock.met.v1', 'clock.cancelled.v1'), at
FROM heard_fact
WHERE type IN ('clock.started.v1', 'clock.resumed.v1', 'clock.recalculated.v1', 'clock.met.v1')
    AND details ? 'clock_id' AND details ? 'due_at'
ORDER BY details ->> 'clock_id', at DESC;
UPDATE case_deadline SET open = false, told_at = ended.at FROM heard_fact AS ended
WHERE ended.type IN ('clock.paused.v1', 'clock.cancelled.v1')
    AND (ended.details ->> 'clock_id')::uuid = case_deadline.clock_id AND ended.at >= case_deadline.told_at;
