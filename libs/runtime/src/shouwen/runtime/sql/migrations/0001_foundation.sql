-- What every service's database has: branch isolation, inbox, outbox, dead letters.
-- :"app" serves requests of people, :"worker" handles events; neither owns a table or bypasses row-level security.

-- Whether the person of this transaction may see rows of a branch. 'shouwen.branches' is set per transaction
-- (SET LOCAL): codes separated by commas, or * for group roles. Unset means none.
CREATE FUNCTION shouwen_may_see(branch text) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(
    current_setting('shouwen.branches', true) = '*'
    OR branch = ANY (string_to_array(current_setting('shouwen.branches', true), ',')),
    false
);

-- Events this service has handled. A partitioned unique key must hold the partition key; an event's own time never
-- changes, so a duplicate always meets the partition of the original. (A receipt time would let duplicates pass that
-- arrive after midnight.)
CREATE TABLE inbox (
    source     text        NOT NULL,
    event_id   text        NOT NULL,
    event_time timestamptz NOT NULL,
    handled_at timestamptz NOT NULL DEFAULT transaction_timestamp(),
    PRIMARY KEY (source, event_id, event_time)
) PARTITION BY RANGE (event_time);

-- Events of months without a partition of their own: letters of last year, clocks that run ahead.
CREATE TABLE inbox_default PARTITION OF inbox DEFAULT;

-- Create the partition of the month of `instant` (UTC), taking over what waits for it in the default partition.
CREATE FUNCTION shouwen_inbox_create_partition(instant timestamptz) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    lower_bound timestamptz := date_trunc('month', instant);
    upper_bound timestamptz := date_trunc('month', instant) + interval '1 month';
    name text := 'inbox_' || to_char(lower_bound, 'YYYY_MM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('shouwen.inbox'));
    IF to_regclass(name) IS NOT NULL THEN
        RETURN NULL;
    END IF;
    LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE %I (LIKE inbox INCLUDING DEFAULTS INCLUDING INDEXES)', name);
    EXECUTE format(
        'WITH moved AS (DELETE FROM inbox_default WHERE event_time >= %L AND event_time < %L RETURNING *) '
        'INSERT INTO %I SELECT * FROM moved', lower_bound, upper_bound, name);
    EXECUTE format('ALTER TABLE inbox ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, lower_bound, upper_bound);
    RETURN name;
END $$;

-- Create this month's partition and those of the next `ahead` months; drop partitions of which nothing was handled
-- for `keep`, and forget such rows of the default partition. What counts is when an event was handled, not its own
-- time: a record must be remembered for as long as its topic may deliver it again.
CREATE FUNCTION shouwen_inbox_maintain(keep interval, ahead integer) RETURNS TABLE (action text, partition text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp SET timezone = 'UTC' AS $$
DECLARE
    step integer;
    child record;
    recent boolean;
BEGIN
    FOR step IN 0..ahead LOOP
        partition := shouwen_inbox_create_partition(date_trunc('month', transaction_timestamp()) + step * interval '1 month');
        IF partition IS NOT NULL THEN
            action := 'created';
            RETURN NEXT;
        END IF;
    END LOOP;
    FOR child IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{4}_[0-9]{2}$'
          AND to_date(right(c.relname, 7), 'YYYY_MM') + interval '1 month' < transaction_timestamp() - keep
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %I WHERE handled_at >= $1)', child.relname)
            INTO recent USING transaction_timestamp() - keep;
        IF NOT recent THEN
            EXECUTE format('DROP TABLE %I', child.relname);
            action := 'dropped';
            partition := child.relname;
            RETURN NEXT;
        END IF;
    END LOOP;
    DELETE FROM inbox_default WHERE handled_at < transaction_timestamp() - keep;
END $$;

REVOKE EXECUTE ON FUNCTION shouwen_inbox_create_partition(timestamptz) FROM PUBLIC;
REVOKE EXECUTE ON FUNCTION shouwen_inbox_maintain(interval, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION shouwen_inbox_maintain(interval, integer) TO :"worker";

SELECT shouwen_inbox_maintain(interval '1000 years', 2);

-- Records waiting to be sent, in the order of `seq` within their shard. `headers` is null for an event, whose headers
-- are made from the columns; a record passed on as it came (to a dead-letter stream) carries its own, as
-- [[name, base64 or null], …].
CREATE TABLE outbox (
    seq         bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shard       smallint    GENERATED ALWAYS AS (get_byte(sha256(coalesce(key, ''::bytea)), 0) % 16) STORED,
    stream      text        NOT NULL,
    key         bytea,
    event_id    text,
    event_type  text,
    source      text,
    subject     text,
    event_time  timestamptz,
    traceparent text,
    headers     jsonb,
    body        bytea,
    created_at  timestamptz NOT NULL DEFAULT transaction_timestamp(),
    CHECK (headers IS NOT NULL OR (event_id IS NOT NULL AND event_type IS NOT NULL AND source IS NOT NULL
                                   AND subject IS NOT NULL AND event_time IS NOT NULL AND body IS NOT NULL))
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000,
        autovacuum_vacuum_insert_scale_factor = 0, autovacuum_vacuum_insert_threshold = 100000);

-- Records that could not be handled (origin 'consumer') or sent (origin 'relay'), as they came, with the reason.
CREATE TABLE dead_letter (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    origin        text        NOT NULL CHECK (origin IN ('consumer', 'relay')),
    stream        text        NOT NULL,
    partition     integer     NOT NULL,
    record_offset bigint      NOT NULL,
    fingerprint   bytea       NOT NULL,
    key           bytea,
    headers       jsonb       NOT NULL,
    body          bytea,
    event_id      text,
    event_type    text,
    source        text,
    subject       text,
    traceparent   text,
    error         text        NOT NULL,
    detail        text        NOT NULL,
    field         text,
    location      text,
    attempts      integer     NOT NULL DEFAULT 1,
    failed_at     timestamptz NOT NULL DEFAULT transaction_timestamp(),
    replayed_at   timestamptz,
    replayed_by   text,
    UNIQUE (stream, partition, record_offset, fingerprint)
);
CREATE INDEX dead_letter_waiting ON dead_letter (id) WHERE replayed_at IS NULL;

-- People's requests only add to the outbox: reading it would show other branches' events.
GRANT INSERT ON outbox TO :"app";
GRANT SELECT, INSERT, DELETE ON outbox TO :"worker";
GRANT SELECT, INSERT ON inbox TO :"worker";
GRANT SELECT, INSERT, UPDATE ON dead_letter TO :"worker";
