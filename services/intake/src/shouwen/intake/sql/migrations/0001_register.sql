-- The register: directory, cases, their facts, what was heard about them, and who looked.
-- Each row stands in a branch; people reach their own branches only (shouwen_may_see), the event path reaches all.
-- bytea columns hold personal data, encrypted by the service; *_hash columns find them by keyed hash.

-- The branches of the directory, with the prefix of their numbers and their time zone.
CREATE TABLE branch (
    branch text PRIMARY KEY,
    name text NOT NULL,
    number_prefix text NOT NULL UNIQUE,
    time_zone text NOT NULL,
    packs text[] NOT NULL
);

-- The persons of the directory; who left stays, as not active.
CREATE TABLE person (
    person text PRIMARY KEY,
    branch text NOT NULL REFERENCES branch,
    department text,
    roles text[] NOT NULL,
    active boolean NOT NULL,
    name bytea NOT NULL,
    email bytea
);
CREATE INDEX person_by_branch ON person (branch, person);

-- The last position given in a branch and year. Its row lock lasts until the registration commits: no gaps, ever.
CREATE TABLE number_counter (
    branch text NOT NULL REFERENCES branch,
    year integer NOT NULL,
    last integer NOT NULL,
    PRIMARY KEY (branch, year)
);

-- The register: every matter with its number, its times, and who is responsible.
CREATE TABLE cases (
    id uuid PRIMARY KEY,
    number text NOT NULL UNIQUE,
    branch text NOT NULL REFERENCES branch,
    type text NOT NULL,
    severity text,
    channel text NOT NULL,
    relation text NOT NULL,
    state text NOT NULL,
    received_at timestamptz NOT NULL,
    registered_at timestamptz NOT NULL,
    registrar text NOT NULL,
    owner text NOT NULL,
    department text,
    promised_at timestamptz,
    replied_at timestamptz,
    plan_delivered_at timestamptz,
    ended_at timestamptz,
    traceparent text,
    subject bytea NOT NULL,
    description bytea NOT NULL,
    requester_name bytea,
    requester_phone bytea,
    requester_phone_hash text,
    client_name bytea,
    client_identifier bytea,
    client_identifier_hash text,
    CHECK (received_at <= registered_at)
);
CREATE INDEX cases_by_branch ON cases (branch, id DESC);
CREATE INDEX cases_by_owner ON cases (owner, id DESC);
CREATE INDEX cases_by_client ON cases (client_identifier_hash, id DESC) WHERE client_identifier_hash IS NOT NULL;
CREATE INDEX cases_by_phone ON cases (requester_phone_hash, id DESC) WHERE requester_phone_hash IS NOT NULL;

-- The case's own facts. Nobody who serves may change or delete one.
CREATE TABLE case_fact (
    event_id text PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    actor text,
    details jsonb NOT NULL,
    traceparent text,
    note bytea
);
CREATE INDEX case_fact_by_case ON case_fact (case_id, at, event_id);

-- What other services told about a case. The case need not be known: an entry is never lost for coming early.
CREATE TABLE heard_fact (
    source text NOT NULL,
    event_id text NOT NULL,
    case_id uuid NOT NULL,
    branch text NOT NULL,
    type text NOT NULL,
    at timestamptz NOT NULL,
    heard_at timestamptz NOT NULL,
    details jsonb NOT NULL,
    traceparent text,
    PRIMARY KEY (source, event_id)
);
CREATE INDEX heard_fact_by_case ON heard_fact (case_id, at, event_id);

-- The list of dishonest clients, as far as intake needs it: hashes only. It holds for the whole group (002 六5).
CREATE TABLE listed_client (
    list_entry_id uuid PRIMARY KEY,
    branch text NOT NULL,
    identifier_hash text NOT NULL,
    reason_code text NOT NULL,
    listed_at timestamptz,
    delisted_at timestamptz
);
CREATE INDEX listed_client_by_identifier ON listed_client (identifier_hash) WHERE delisted_at IS NULL;

-- Marks of cases, with the list entry behind each; a lifted one is history.
CREATE TABLE case_mark (
    case_id uuid NOT NULL REFERENCES cases,
    mark text NOT NULL,
    list_entry_id uuid NOT NULL,
    branch text NOT NULL,
    reason_code text NOT NULL,
    marked_at timestamptz NOT NULL,
    lifted_at timestamptz,
    PRIMARY KEY (case_id, mark, list_entry_id)
);
CREATE INDEX case_mark_by_entry ON case_mark (list_entry_id) WHERE lifted_at IS NULL;

-- A request that must have its effect once: the key is the caller's own.
CREATE TABLE idempotency_key (
    person text NOT NULL,
    key text NOT NULL,
    branch text NOT NULL,
    request_hash text NOT NULL,
    case_id uuid NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (person, key)
);

-- Facts of other systems that came in over HTTP.
CREATE TABLE group_event (
    source text NOT NULL,
    event_id text NOT NULL,
    branch text NOT NULL,
    content_hash text NOT NULL,
    accepted_by text NOT NULL,
    accepted_at timestamptz NOT NULL,
    PRIMARY KEY (source, event_id)
);

-- Who saw personal data unmasked (000 §15, 001 §8). Written by every answer that shows some; not read by people's role.
CREATE TABLE look (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL,
    person text NOT NULL,
    case_id uuid NOT NULL,
    branch text NOT NULL,
    fields text[] NOT NULL,
    trace_id text
);
CREATE INDEX look_by_case ON look (case_id, at);

ALTER TABLE branch ENABLE ROW LEVEL SECURITY;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE number_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE cases ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE heard_fact ENABLE ROW LEVEL SECURITY;
ALTER TABLE listed_client ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_mark ENABLE ROW LEVEL SECURITY;
ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
ALTER TABLE group_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE look ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON branch TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON person TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON number_counter TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON cases TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON case_fact TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON heard_fact TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
-- Every branch refuses a client whom any branch has listed, so the hashes are open to all.
CREATE POLICY app ON listed_client TO :"app" USING (true) WITH CHECK (false);
CREATE POLICY app ON case_mark TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON idempotency_key TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON group_event TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON look TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON branch TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON person TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON number_counter TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON cases TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON case_fact TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON heard_fact TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON listed_client TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON case_mark TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON idempotency_key TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON group_event TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON look TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT ON branch, person, heard_fact, listed_client TO :"app";
GRANT SELECT, INSERT ON case_fact, case_mark, idempotency_key, group_event TO :"app";
GRANT SELECT, INSERT, UPDATE ON number_counter, cases TO :"app";
GRANT INSERT ON look TO :"app";

GRANT SELECT, INSERT, UPDATE ON branch, person, listed_client, case_mark TO :"worker";
GRANT SELECT, UPDATE ON cases TO :"worker";
GRANT SELECT, INSERT ON case_fact, heard_fact TO :"worker";
