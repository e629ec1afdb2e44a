-- What a suggestion is about, as somebody sorted it: digests give each department its suggestions by category (002 七(四)2).
CREATE TABLE suggestion_category (
    case_id uuid PRIMARY KEY REFERENCES cases,
    branch text NOT NULL,
    category text NOT NULL,
    sorted_at timestamptz NOT NULL,
    sorted_by text NOT NULL
);

ALTER TABLE suggestion_category ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON suggestion_category TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY worker ON suggestion_category TO :"worker" USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON suggestion_category TO :"app";
GRANT SELECT ON suggestion_category TO :"worker";
