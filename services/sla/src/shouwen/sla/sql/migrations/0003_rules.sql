-- What clocks are computed by, beside the packs that ship: working hours, announced years, published packs, registered
-- event types. Whoever changes one of them raises the revision; every replica compares it and loads anew.

-- The number of changes made to the rules so far. The event path holds the row while it computes, so that no clock is
-- kept that was computed by older rules after a change was made.
CREATE TABLE rules_revision (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision bigint NOT NULL
);
INSERT INTO rules_revision (revision) VALUES (1);

-- Working hours of branches; every change is kept, the last one of a branch stands. No document: office hours again.
CREATE TABLE schedule (
    branch   text NOT NULL REFERENCES branch,
    revision bigint NOT NULL,
    document jsonb,
    set_by   text NOT NULL,
    set_at   timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (branch, revision)
);

-- Announced public holidays and make-up workdays, year by year; every version is kept, the last one of a year stands.
CREATE TABLE announcement (
    year      integer NOT NULL,
    revision  bigint NOT NULL,
    document  jsonb NOT NULL,
    loaded_by text NOT NULL,
    loaded_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (year, revision)
);

-- Published packs, version by version, as their YAML; never changed. branch is null for packs of the group.
CREATE TABLE pack (
    pack           text NOT NULL,
    version        integer NOT NULL,
    branch         text REFERENCES branch,
    effective_from date NOT NULL,
    document       text NOT NULL,
    revision       bigint NOT NULL,
    published_by   text NOT NULL,
    published_at   timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (pack, version)
);

-- Event types of other systems that were registered at run time; each change adds fields, the last one stands.
CREATE TABLE event_type (
    event_type    text NOT NULL,
    revision      bigint NOT NULL,
    document      jsonb NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (event_type, revision)
);

-- Open clocks to compute anew after a change, batch by batch: of one branch, or of all; after_* is how far it has come.
CREATE TABLE recalculation (
    recalculation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    cause            text NOT NULL CHECK (cause IN ('schedule', 'announcement', 'pack', 'directory')),
    branch           text,
    due_at           timestamptz NOT NULL DEFAULT transaction_timestamp(),
    after_subject    text NOT NULL DEFAULT '',
    after_branch     text NOT NULL DEFAULT '',
    clocks           bigint NOT NULL DEFAULT 0,
    moved            bigint NOT NULL DEFAULT 0,
    asked_at         timestamptz NOT NULL DEFAULT transaction_timestamp(),
    done_at          timestamptz
);
CREATE INDEX recalculation_open ON recalculation (due_at) WHERE done_at IS NULL;

ALTER TABLE schedule ENABLE ROW LEVEL SECURITY;
ALTER TABLE pack ENABLE ROW LEVEL SECURITY;
ALTER TABLE recalculation ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON schedule TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
-- What binds every branch is for everybody to read, and for group roles alone to write.
CREATE POLICY app ON pack TO :"app"
    USING (branch IS NULL OR shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(coalesce(branch, '')));
CREATE POLICY app ON recalculation TO :"app"
    USING (branch IS NULL OR shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(coalesce(branch, '')));
CREATE POLICY worker ON schedule TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON pack TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON recalculation TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT, UPDATE ON rules_revision TO :"app", :"worker";
GRANT SELECT, INSERT ON schedule, announcement, pack, event_type, recalculation TO :"app", :"worker";
GRANT UPDATE ON recalculation TO :"worker";
