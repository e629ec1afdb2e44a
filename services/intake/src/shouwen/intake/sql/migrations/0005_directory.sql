-- The directory kept here: departments and what they answer, who keeps which entry up to date, absences and delegations.

-- withdrawn: its identity provider has deleted it, so that it is shown to none; its history stays.
-- Who keeps an entry up to date: the directory file, people (REST, CSV), or an identity provider (SCIM).
-- The file changes only what is its own.
ALTER TABLE branch ADD COLUMN managed_by text NOT NULL DEFAULT 'file' CHECK (managed_by IN ('file', 'api', 'scim'));
ALTER TABLE person
    ADD COLUMN managed_by text NOT NULL DEFAULT 'file' CHECK (managed_by IN ('file', 'api', 'scim')),
    ADD COLUMN phone bytea,
    ADD COLUMN external_id bytea,
    ADD COLUMN withdrawn boolean NOT NULL DEFAULT false;
CREATE INDEX person_by_department ON person (branch, department, person);
CREATE INDEX person_by_any_case ON person (lower(person));

-- The departments of each branch, with what they answer and within how many hours (003 §7(三), §9).
CREATE TABLE department (
    branch text NOT NULL REFERENCES branch,
    department text NOT NULL,
    name text NOT NULL,
    duties jsonb NOT NULL,
    active boolean NOT NULL,
    managed_by text NOT NULL DEFAULT 'file' CHECK (managed_by IN ('file', 'api', 'scim')),
    external_id bytea,
    withdrawn boolean NOT NULL DEFAULT false,
    PRIMARY KEY (branch, department)
);
CREATE INDEX department_by_duty ON department USING gin (duties jsonb_path_ops);

-- Who stands in for whom, and when (003 §10(二)). A cancelled one never was; an ended one has its true end.
CREATE TABLE delegation (
    id uuid PRIMARY KEY,
    branch text NOT NULL REFERENCES branch,
    principal text NOT NULL REFERENCES person,
    delegate text NOT NULL REFERENCES person,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    named_by text NOT NULL,
    named_at timestamptz NOT NULL,
    CHECK (starts_at <= ends_at),
    CHECK (principal <> delegate)
);
CREATE INDEX delegation_by_principal ON delegation (principal, ends_at) WHERE cancelled_at IS NULL;
CREATE INDEX delegation_by_delegate ON delegation (delegate, ends_at) WHERE cancelled_at IS NULL;
CREATE INDEX delegation_by_branch ON delegation (branch, id DESC);

-- Who is away, and when; not why. A cancelled one never was; an ended one has its true end.
CREATE TABLE absence (
    id uuid PRIMARY KEY,
    branch text NOT NULL REFERENCES branch,
    person text NOT NULL REFERENCES person,
    starts_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    cancelled_at timestamptz,
    delegation_id uuid REFERENCES delegation,
    recorded_by text NOT NULL,
    recorded_at timestamptz NOT NULL,
    CHECK (starts_at <= ends_at)
);
CREATE INDEX absence_by_person ON absence (person, ends_at) WHERE cancelled_at IS NULL;
CREATE INDEX absence_by_branch ON absence (branch, id DESC);

ALTER TABLE department ENABLE ROW LEVEL SECURITY;
ALTER TABLE delegation ENABLE ROW LEVEL SECURITY;
ALTER TABLE absence ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON department TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON delegation TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON absence TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON department TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON delegation TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON absence TO :"worker" USING (true) WITH CHECK (true);

GRANT INSERT, UPDATE ON branch, person TO :"app";
GRANT SELECT, INSERT, UPDATE ON department, delegation, absence TO :"app";
GRANT SELECT, INSERT, UPDATE ON department, delegation, absence TO :"worker";
