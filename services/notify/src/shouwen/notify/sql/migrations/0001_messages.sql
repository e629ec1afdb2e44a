-- Messages to people, their deliveries, and the directory as far as telling people needs it.

CREATE TABLE branch (
    branch text PRIMARY KEY,
    time_zone text NOT NULL,
    described_at timestamptz
);

-- described_at is null for what came from the directory file: facts of the directory stream win over it.
CREATE TABLE person (
    person text PRIMARY KEY,
    branch text NOT NULL,
    roles text[] NOT NULL,
    active boolean NOT NULL,
    email bytea,
    described_at timestamptz
);
CREATE INDEX person_by_branch ON person (branch);

-- What a subject is called by people: the number of a case.
CREATE TABLE matter (
    subject text PRIMARY KEY,
    branch text NOT NULL,
    number text NOT NULL
);

-- What to tell whom and why. The words are kept as they were, in Chinese and English; they hold no personal data.
CREATE TABLE message (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    branch text NOT NULL,
    subject text NOT NULL,
    cause_source text NOT NULL,
    cause text NOT NULL,
    cause_type text NOT NULL,
    recipient text NOT NULL,
    reason text NOT NULL,
    template text NOT NULL,
    texts jsonb NOT NULL,
    link text NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL,
    read_at timestamptz,
    read_by text,
    UNIQUE (cause_source, cause, recipient)
);
CREATE INDEX message_of_recipient ON message (recipient, (read_at IS NOT NULL), seq DESC);

-- One message on one channel.
CREATE TABLE delivery (
    id uuid PRIMARY KEY,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    message_id uuid NOT NULL REFERENCES message,
    branch text NOT NULL,
    subject text NOT NULL,
    cause_source text NOT NULL,
    cause text NOT NULL,
    recipient text NOT NULL,
    channel text NOT NULL CHECK (channel IN ('inbox', 'email')),
    state text NOT NULL CHECK (state IN ('pending', 'sending', 'sent', 'failed', 'uncertain')),
    attempts integer NOT NULL DEFAULT 0,
    pending_since timestamptz NOT NULL,
    next_attempt_at timestamptz,
    lost_at timestamptz,
    sent_at timestamptz,
    failed_at timestamptz,
    error text,
    resent_by text,
    UNIQUE (cause_source, cause, recipient, channel),
    CHECK ((state = 'pending') = (next_attempt_at IS NOT NULL)),
    CHECK ((state = 'sending') = (lost_at IS NOT NULL)),
    CHECK ((state = 'sent') = (sent_at IS NOT NULL))
);
COMMENT ON COLUMN delivery.lost_at IS 'When a delivery that is still being sent must have lost its sender';
CREATE INDEX delivery_due ON delivery (next_attempt_at) WHERE state = 'pending';
CREATE INDEX delivery_in_hand ON delivery (lost_at) WHERE state = 'sending';
CREATE INDEX delivery_to_look_at ON delivery (seq) WHERE state IN ('failed', 'uncertain');
CREATE INDEX delivery_by_subject ON delivery (subject, seq);
CREATE INDEX delivery_by_message ON delivery (message_id);

ALTER TABLE branch ENABLE ROW LEVEL SECURITY;
ALTER TABLE person ENABLE ROW LEVEL SECURITY;
ALTER TABLE matter ENABLE ROW LEVEL SECURITY;
ALTER TABLE message ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON branch TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON person TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON matter TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON message TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON delivery TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON branch TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON person TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON matter TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON message TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON delivery TO :"worker" USING (true) WITH CHECK (true);

-- People read what was told, mark what they have read, and an operator sends again. Addresses stay with the sender.
GRANT SELECT ON message, delivery TO :"app";
GRANT UPDATE (read_at, read_by) ON message TO :"app";
GRANT UPDATE (state, pending_since, next_attempt_at, lost_at, sent_at, failed_at, error, resent_by) ON delivery TO :"app";

GRANT SELECT, INSERT, UPDATE ON branch, person, matter, delivery TO :"worker";
GRANT SELECT, INSERT ON message TO :"worker";
