-- Finding cases among many: by their words, by what is due, by the beginning of their number.

-- A prefix of a number is a range of the index only where texts are compared byte by byte.
ALTER TABLE cases ALTER COLUMN number TYPE text COLLATE "C";

CREATE INDEX cases_by_state ON cases (branch, state, id DESC);
CREATE INDEX cases_by_department ON cases (branch, department, id DESC) WHERE department IS NOT NULL;
CREATE INDEX cases_by_receipt ON cases (branch, received_at DESC, id DESC);

-- Keyed hashes of the pairs of characters in subject and description, by which words are found in encrypted texts.
-- A case without a row here is not found by words; the service adds the rows of older cases when it starts.
CREATE TABLE case_text (
    case_id uuid PRIMARY KEY REFERENCES cases,
    branch text NOT NULL,
    grams integer[] NOT NULL
);
CREATE INDEX case_text_by_gram ON case_text USING gin (grams);

-- The rows that one may see. Under a row-level policy the array operators could not use the index (they are not
-- leakproof), so this view, which reads as the owner, brings the same condition itself.
CREATE VIEW case_text_seen AS SELECT case_id, branch, grams FROM case_text WHERE shouwen_may_see(branch);

-- Pairs of characters that stand in every fiftieth text or more, as ANALYZE found them: no use to begin a search with.
-- Statistics of a table under row-level security show themselves to its owner only.
CREATE FUNCTION shouwen_frequent_grams() RETURNS integer[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
RETURN (
    SELECT array_agg(gram)
    FROM pg_stats, unnest(most_common_elems::text::integer[], most_common_elem_freqs) AS common (gram, share)
    WHERE schemaname = 'public' AND tablename = 'case_text' AND attname = 'grams' AND gram IS NOT NULL AND share >= 0.02
);
REVOKE EXECUTE ON FUNCTION shouwen_frequent_grams() FROM PUBLIC;

-- The deadlines of cases as the clocks told them last. The case need not be known yet.
CREATE TABLE case_deadline (
    clock_id uuid PRIMARY KEY,
    case_id uuid NOT NULL,
    branch text NOT NULL,
    due_at timestamptz NOT NULL,
    open boolean NOT NULL,
    told_at timestamptz NOT NULL
);
CREATE INDEX case_deadline_open ON case_deadline (branch, case_id DESC, due_at) WHERE open;

ALTER TABLE case_text ENABLE ROW LEVEL SECURITY;
ALTER TABLE case_deadline ENABLE ROW LEVEL SECURITY;

CREATE POLICY app ON case_text TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));
CREATE POLICY app ON case_deadline TO :"app" USING (shouwen_may_see(branch)) WITH CHECK (shouwen_may_see(branch));

CREATE POLICY worker ON case_text TO :"worker" USING (true) WITH CHECK (true);
CREATE POLICY worker ON case_deadline TO :"worker" USING (true) WITH CHECK (true);

GRANT SELECT ON case_text_seen, case_deadline TO :"app";
GRANT INSERT ON case_text TO :"app";
GRANT EXECUTE ON FUNCTION shouwen_frequent_grams() TO :"app";
GRANT SELECT, INSERT ON case_text TO :"worker";
GRANT SELECT, INSERT, UPDATE ON case_deadline TO :"worker";

-- What the clocks told before this table was there.
INSERT INTO case_deadline (clock_id, case_id, branch, due_at, open, told_at)
SELECT DISTINCT ON (details ->> 'clock_id')
    (details ->> 'clock_id')::uuid, case_id, branch, (details ->> 'due_at')::timestamptz,
    type NOT IN ('clock.met.v1', 'clock.cancelled.v1'), at
FROM heard_fact
WHERE type IN ('clock.started.v1', 'clock.resumed.v1', 'clock.recalculated.v1', 'clock.met.v1')
    AND details ? 'clock_id' AND details ? 'due_at'
ORDER BY details ->> 'clock_id', at DESC;
UPDATE case_deadline SET open = false, told_at = ended.at FROM heard_fact AS ended
WHERE ended.type IN ('clock.paused.v1', 'clock.cancelled.v1')
    AND (ended.details ->> 'clock_id')::uuid = case_deadline.clock_id AND ended.at >= case_deadline.told_at;

-- Erasures of the data of one client or one requester: asked for by one person, decided by another. They stay, so that
-- they can be carried out again on a database that was brought back from a backup.
CREATE TABLE erasure (
    id uuid PRIMARY KEY,
    whose text NOT NULL CHECK (whose IN ('client', 'requester')),
    found_by text NOT NULL CHECK (found_by IN ('client_identifier', 'phone', 'email')),
    person_hash text NOT NULL,
    reason bytea NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'done', 'rejected')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL,
    decided_by text CHECK (decided_by <> proposed_by),
    decided_at timestamptz,
    cases integer NOT NULL
);
CREATE UNIQUE INDEX erasure_open ON erasure (whose, person_hash) WHERE state = 'proposed';

ALTER TABLE cases ADD COLUMN client_erased_at timestamptz, ADD COLUMN requester_erased_at timestamptz;

-- Take the words about a person out of a case: its texts, its notes, what was found, its files (by their keys), and what
-- it is found by. Who was responsible when, and every fact and clock, stay. `words` is what stands there instead,
-- encrypted by the service. Every bytea column of a table with a case_id holds such words; a *_key opens a file.
CREATE FUNCTION shouwen_erase_case(erased uuid, whose text, words bytea) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place record;
BEGIN
    IF current_setting('shouwen.branches', true) IS DISTINCT FROM '*' THEN
        RAISE EXCEPTION 'only who sees all branches may erase' USING ERRCODE = 'insufficient_privilege';
    END IF;
    UPDATE cases SET subject = words, description = words WHERE id = erased;
    IF whose = 'client' THEN
        UPDATE cases SET
            client_name = NULL, client_identifier = NULL, client_identifier_hash = NULL,
            client_erased_at = transaction_timestamp()
        WHERE id = erased;
    ELSE
        UPDATE cases SET
            requester_name = NULL, requester_phone = NULL, requester_phone_hash = NULL, requester_email = NULL,
            requester_email_hash = NULL, requester_erased_at = transaction_timestamp()
        WHERE id = erased;
    END IF;
    DELETE FROM case_text WHERE case_id = erased;
    UPDATE case_fact SET details = details - 'sealed' WHERE case_id = erased AND details ? 'sealed';
    FOR place IN
        SELECT class.relname AS relation, word.attname AS name
        FROM pg_class AS class
        JOIN pg_attribute AS about ON about.attrelid = class.oid AND about.attname = 'case_id' AND NOT about.attisdropped
        JOIN pg_attribute AS word ON word.attrelid = class.oid AND word.atttypid = 'bytea'::regtype AND NOT word.attisdropped
        WHERE class.relkind = 'r' AND class.relnamespace = 'public'::regnamespace AND word.attname NOT IN ('salt', 'hash')
    LOOP
        EXECUTE format('UPDATE %I SET %I = $2 WHERE case_id = $1 AND %I IS NOT NULL', place.relation, place.name, place.name)
            USING erased, CASE WHEN place.name LIKE '%\_key' THEN NULL ELSE words END;
    END LOOP;
END $$;
REVOKE EXECUTE ON FUNCTION shouwen_erase_case(uuid, text, bytea) FROM PUBLIC;

CREATE INDEX look_by_person ON look (person, id DESC);

ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
CREATE POLICY app ON erasure TO :"app" USING (shouwen_may_see('*')) WITH CHECK (shouwen_may_see('*'));
-- Who looked is for the group's auditors.
CREATE POLICY app_reads ON look AS RESTRICTIVE FOR SELECT TO :"app" USING (shouwen_may_see('*'));
CREATE POLICY worker ON erasure TO :"worker" USING (true) WITH CHECK (false);

GRANT EXECUTE ON FUNCTION shouwen_erase_case(uuid, text, bytea) TO :"app";
GRANT SELECT, INSERT, UPDATE (state, decided_by, decided_at, cases) ON erasure TO :"app";
GRANT SELECT ON look TO :"app";
