-- Files with a case, mail that came in, and what keeps the public form from being flooded.

-- Files that lie with a case. The content is in the file store, sealed under data_key (encrypted under the key ring).
-- Without a data_key nobody can read it any more: it was erased.
CREATE TABLE attachment (
    id uuid PRIMARY KEY,
    case_id uuid NOT NULL REFERENCES cases,
    branch text NOT NULL,
    name bytea NOT NULL,
    media_type text NOT NULL,
    size_bytes bigint NOT NULL,
    sha256 text NOT NULL,
    place text NOT NULL,
    data_key bytea,
    added_at timestamptz NOT NULL,
    added_by text NOT NULL,
    UNIQUE (case_id, sha256)
);

-- Mails that came in, each once: what became of it, and where it lies as it came. An empty branch is not known yet.
CREATE TABLE mail (
    id uuid PRIMARY KEY,
    branch text NOT NULL,
    message_hash text NOT NULL UNIQUE,
    body_sha256 text NOT NULL,
    state text NOT NULL CHECK (state IN ('registered', 'joined', 'ignored', 'set_aside', 'discarded')),
    reason text,
    case_id uuid REFERENCES cases,
    received_at timestamptz NOT NULL,
    sender bytea,
    subject bytea,
    size_bytes bigint NOT NULL,
    place text NOT NULL,
    data_key bytea,
    decided_at timestamptz NOT NULL,
    decided_by text
);
CREATE INDEX mail_by_state ON mail (state, id);
CREATE INDEX mail_by_case ON mail (case_id) WHERE case_id IS NOT NULL;

ALTER TABLE attachment ENABLE ROW LEVEL SECURITY;
ALTER TABLE mail ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON attachment TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON mail TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON attachment TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON mail TO :"worker" USING (true) WITH CHECK (true);

-- An erasure takes the keys of contents, nothing else changes a file.
GRANT SELECT, INSERT, UPDATE (name, data_key) ON attachment TO :"app";
GRANT SELECT ON attachment TO :"worker";
-- The operator reads mails of no branch yet, which only the worker reaches; such a look is recorded too.
GRANT INSERT ON look TO :"worker";
GRANT SELECT, INSERT, UPDATE ON mail TO :"app", :"worker";
