-- Clients on file, the list of dishonest clients with its history, and screenings.
-- bytea columns hold names, identifiers and reasons, encrypted by the service; *_hash columns find them by keyed hash.

CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- The last position given in a branch and year; its row lock lasts until the registration commits: no gaps.
CREATE TABLE form_counter (
    branch text NOT NULL,
    year integer NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (branch, year)
);

CREATE TABLE client (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    number text NOT NULL UNIQUE,
    branch text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('individual', 'company')),
    name bytea NOT NULL,
    identifier bytea NOT NULL,
    identifier_hash text NOT NULL,
    consent boolean NOT NULL CHECK (consent),
    originals_seen text[] NOT NULL,
    registered_by text NOT NULL,
    registered_at timestamptz NOT NULL,
    UNIQUE (branch, identifier_hash)
);

-- comparable_name rests in plain text, because near names are found by their trigrams; the name itself is encrypted.
CREATE TABLE list_entry (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    branch text NOT NULL,
    client_id uuid REFERENCES client,
    kind text NOT NULL CHECK (kind IN ('individual', 'company')),
    name bytea NOT NULL,
    comparable_name text NOT NULL,
    identifier bytea NOT NULL,
    identifier_hash text NOT NULL,
    reason_code text NOT NULL,
    reason bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'listed', 'appealed', 'delisted', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    confirmed_by text,
    confirmed_at timestamptz,
    appealed_by text,
    appealed_at timestamptz,
    lifted_by text,
    lifted_at timestamptz,
    CHECK (confirmed_by <> proposed_by),
    CHECK (lifted_by <> appealed_by),
    CHECK (state NOT IN ('listed', 'appealed', 'delisted') OR confirmed_by IS NOT NULL)
);
CREATE UNIQUE INDEX list_entry_open ON list_entry (identifier_hash) WHERE state IN ('proposed', 'listed', 'appealed');
CREATE INDEX list_entry_near ON list_entry USING gin (comparable_name gin_trgm_ops) WHERE state IN ('listed', 'appealed');
-- Names of one or two characters have too few trigrams to be found by them.
CREATE INDEX list_entry_named ON list_entry (comparable_name) WHERE state IN ('listed', 'appealed');

-- Who did what to an entry. Nobody who serves may change or delete a line.
CREATE TABLE list_step (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    list_entry_id uuid NOT NULL REFERENCES list_entry,
    branch text NOT NULL,
    step text NOT NULL CHECK (step IN ('proposed', 'confirmed', 'appealed', 'lifted', 'rejected')),
    at timestamptz NOT NULL,
    person text NOT NULL,
    reason bytea
);
CREATE INDEX list_step_by_entry ON list_step (list_entry_id, id);

CREATE TABLE screening (
    case_id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    branch text NOT NULL,
    screened_at timestamptz NOT NULL,
    hits jsonb NOT NULL,
    traceparent text
);

ALTER TABLE form_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE client ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_entry ENABLE ROW LEVEL SECURITY;
ALTER TABLE list_step ENABLE ROW LEVEL SECURITY;
ALTER TABLE screening ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON form_counter TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON client TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON screening TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
-- The list holds for the whole group, so all staff see who is or was on it; a suspicion stays in its branch until two
-- persons have confirmed it. Only the branch that listed a client writes.
CREATE POLICY app_reads ON list_entry FOR SELECT TO :"app"
    USING (state IN ('listed', 'appealed', 'delisted') OR shouwen_may_see(branch));
CREATE POLICY app_adds ON list_entry FOR INSERT TO :"app" WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app_changes ON list_entry FOR UPDATE TO :"app"
    USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app_reads ON list_step FOR SELECT TO :"app"
    USING (shouwen_may_see(branch) OR EXISTS (SELECT FROM list_entry WHERE list_entry.id = list_step.list_entry_id));
CREATE POLICY app_adds ON list_step FOR INSERT TO :"app" WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON form_counter TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON client TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON list_entry TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON list_step TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON screening TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT, INSERT, UPDATE ON form_counter TO :"app";
GRANT SELECT, INSERT ON client, list_entry, list_step TO :"app";
GRANT SELECT ON screening TO :"app";
GRANT UPDATE (state, confirmed_by, confirmed_at, appealed_by, appealed_at, lifted_by, lifted_at) ON list_entry TO :"app";

GRANT SELECT ON list_entry TO :"worker";
GRANT SELECT, INSERT ON screening TO :"worker";
