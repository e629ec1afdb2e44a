-- Clients on file, the list of dishonest clients with its history, and what was screened against it.
-- bytea columns hold personal data, encrypted by the service; *_hash and *_pieces find them by keyed hash.

-- The last position given in a branch and year; locked until the registration commits, so that forms have no gaps.
CREATE TABLE number_counter (
    branch text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (branch, year)
);

CREATE TABLE client (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,
    branch text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('individual', 'company')),
    name bytea NOT NULL,
    identifier bytea NOT NULL,
    identifier_hash text NOT NULL,
    consent_at timestamptz NOT NULL,
    registered_at timestamptz NOT NULL,
    registered_by text NOT NULL,
    UNIQUE (branch, identifier_hash)
);
CREATE INDEX client_by_branch ON client (branch, id DESC);

CREATE TABLE list_entry (
    id uuid PRIMARY KEY,
    branch text NOT NULL,
    name bytea NOT NULL,
    identifier bytea NOT NULL,
    identifier_hash text NOT NULL,
    name_pieces bigint[] NOT NULL,
    reason_code text NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'listed', 'lift_proposed', 'lifted')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    listed_at timestamptz,
    appealed_by text,
    appealed_at timestamptz,
    lifted_by text,
    lifted_at timestamptz,
    CHECK (confirmed_by IS DISTINCT FROM proposed_by),
    CHECK (lifted_by IS NULL OR lifted_by IS DISTINCT FROM appealed_by)
);
-- One open entry per client: a second proposal would be a second opinion, not a second entry.
CREATE UNIQUE INDEX list_entry_open ON list_entry (identifier_hash) WHERE state <> 'lifted';
CREATE INDEX list_entry_by_name ON list_entry USING gin (name_pieces) WHERE state IN ('listed', 'lift_proposed');

-- Who did what to an entry, and why. Nobody who serves may change or delete a line: history is never lost.
CREATE TABLE list_entry_fact (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list_entry_id uuid NOT NULL REFERENCES list_entry,
    branch text NOT NULL,
    state text NOT NULL,
    at timestamptz NOT NULL,
    person text NOT NULL,
    reason bytea
);
CREATE INDEX list_entry_fact_by_entry ON list_entry_fact (list_entry_id, id);

CREATE TABLE screening (
    id uuid PRIMARY KEY,
    subject text NOT NULL UNIQUE,
    branch text NOT NULL,
    screened_at timestamptz NOT NULL,
    hits jsonb NOT NULL,
    traceparent text
);
CREATE INDEX screening_by_branch ON screening (branch, id DESC);

ALTER TABLE number_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE client ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_entry_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE screening ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON number_counter TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON client TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
-- The list holds for the whole group: every branch reads it, each decides on its own entries.
CREATE POLICY app ON list_entry TO :"app" USING (true) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON list_entry_fact TO :"app" USING (true) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON screening TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (false);

CREATE POLICY worker ON number_counter TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON client TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON list_entry TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON list_entry_fact TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON screening TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON number_counter, list_entry TO :"app";
GRANT SELECT, INSERT ON client, list_entry_fact TO :"app";
GRANT SELECT ON screening TO :"app";

GRANT SELECT ON list_entry TO :"worker";
GRANT SELECT, INSERT ON screening TO :"worker";
