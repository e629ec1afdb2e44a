-- What a firing changes stands in a narrow row of its own. A firing cannot keep the index entries of the row it changes
-- (the instant of the next one is indexed), and the row of a clock is wide and has indexes for subjects and lists.

-- One row per clock. `step` counts the firings done (or skipped); `next_fire_at` is the instant of the next one, null when
-- none is due: the clock ended, is paused, or has fired everything. `fired_at` has a place for each instant of
-- `clock.fire_at`. Handlers write both rows in one statement, the ticker this one alone: whoever changes a clock holds
-- this row.
CREATE TABLE timer (
    clock_id     uuid PRIMARY KEY,
    branch       text NOT NULL,
    next_fire_at timestamptz,
    step         smallint NOT NULL,
    breached     boolean NOT NULL,
    fired_at     timestamptz[] NOT NULL
);
INSERT INTO timer SELECT clock_id, branch, next_fire_at, step, breached, fired_at FROM clock;
CREATE INDEX timer_due ON timer (next_fire_at) WHERE next_fire_at IS NOT NULL;

-- With them go the index by due instant and the check that an ended clock fires nothing.
ALTER TABLE clock DROP COLUMN next_fire_at, DROP COLUMN step, DROP COLUMN breached, DROP COLUMN fired_at;

ALTER TABLE timer ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON timer TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON timer TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON timer TO :"app", :"worker";
