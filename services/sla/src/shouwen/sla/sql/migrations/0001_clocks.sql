-- Branches, what was heard about each subject, and the clocks that follow from it.
-- Each row stands in a branch; people reach their own branches only (shouwen_may_see), the event path reaches all.

-- The branches of the directory, with their zone and packs. from_file: known only from the directory file so far;
-- what the directory stream tells wins over it.
CREATE TABLE branch (
    branch    text PRIMARY KEY,
    name      text NOT NULL,
    time_zone text NOT NULL,
    packs     text[] NOT NULL,
    from_file boolean NOT NULL
);

-- One row per subject: its lock keeps two transactions from working on the clocks of one subject at once. Facts and
-- clocks are only written under that lock, so they need no foreign key, which would cost a look-up for each row.
CREATE TABLE subject (
    branch  text NOT NULL REFERENCES branch,
    subject text NOT NULL,
    facts   integer NOT NULL,
    PRIMARY KEY (branch, subject)
);

-- Every fact as it came. Clocks are a function of these rows, in whatever order they arrived.
CREATE TABLE fact (
    branch      text NOT NULL,
    subject     text NOT NULL,
    source      text NOT NULL,
    event_id    text NOT NULL,
    event_type  text NOT NULL,
    event_time  timestamptz NOT NULL,
    data        jsonb NOT NULL,
    traceparent text,
    heard_at    timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (branch, subject, source, event_id)
);

-- One row per clock, with all its firing instants. `step` counts the firings done (or skipped); `next_fire_at` is the
-- instant of the next one, null when none is due: the clock ended, is paused, or has fired everything.
-- Firings: those before `breach_step` warn, that one is the breach, those after it escalate to `roles` in turn.
CREATE TABLE clock (
    clock_id        uuid PRIMARY KEY,
    branch          text NOT NULL,
    subject         text NOT NULL,
    pack            text NOT NULL,
    pack_version    integer NOT NULL,
    policy          text NOT NULL,
    target          text NOT NULL,
    clause          text NOT NULL,
    cycle           integer NOT NULL,
    state           text NOT NULL CHECK (state IN ('running', 'paused', 'completed', 'cancelled')),
    breached        boolean NOT NULL,
    provisional     boolean NOT NULL,
    started_at      timestamptz NOT NULL,
    due_at          timestamptz NOT NULL,
    deadline_stands boolean NOT NULL,
    ended_at        timestamptz,
    reason          text,
    pauses          jsonb NOT NULL,
    owner           text,
    department      text,
    traceparent     text NOT NULL,
    fire_at         timestamptz[] NOT NULL,
    fired_at        timestamptz[] NOT NULL,
    breach_step     smallint NOT NULL,
    roles           text[] NOT NULL,
    step            smallint NOT NULL,
    generation      integer NOT NULL,
    next_fire_at    timestamptz,
    CHECK ((state IN ('completed', 'cancelled')) = (ended_at IS NOT NULL)),
    CHECK (next_fire_at IS NULL OR ended_at IS NULL)
) WITH (fillfactor = 80);
CREATE INDEX clock_due ON clock (next_fire_at) WHERE next_fire_at IS NOT NULL;
CREATE INDEX clock_of_subject ON clock (subject, branch);
CREATE INDEX clock_list ON clock (due_at, clock_id);

ALTER TABLE branch ENABLE ROW LEVEL SECURITY;
ALTER TABLE subject ENABLE ROW LEVEL SECURITY;
ALTER TABLE fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE clock ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON branch TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON subject TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON fact TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON clock TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON branch TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON subject TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON fact TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON clock TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT ON branch, fact, clock TO :"app";
GRANT SELECT, INSERT, UPDATE ON branch, subject, clock TO :"worker";
GRANT SELECT, INSERT ON fact TO :"worker";
