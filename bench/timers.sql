-- name: indexes
-- The indexes of clocks and timers: how to drop and how to create each.
SELECT CASE WHEN indisprimary THEN format('ALTER TABLE %s DROP CONSTRAINT %I', indrelid::regclass, conname)
            ELSE format('DROP INDEX %s', indexrelid::regclass) END AS drop,
       CASE WHEN indisprimary THEN format('ALTER TABLE %s ADD %s', indrelid::regclass, pg_get_constraintdef(constrained.oid))
            ELSE pg_get_indexdef(indexrelid) END AS create
FROM pg_index LEFT JOIN pg_constraint AS constrained ON conindid = indexrelid
WHERE indrelid IN ('clock'::regclass, 'timer'::regclass);

-- name: arm_future
-- $1 clocks that fall due over the next year, none within the hour.
WITH planned AS MATERIALIZED (
    SELECT gen_random_uuid() AS clock_id, number,
           clock_timestamp() + interval '1 hour' + number * interval '365 days' / $1::integer AS first
    FROM generate_series(1, $1::integer) AS number ORDER BY hashtext(number::text)
), armed AS (
    INSERT INTO timer (clock_id, branch, next_fire_at, step, breached, fired_at)
    SELECT clock_id, 'beijing', first, 0, false, array_fill(NULL::timestamptz, ARRAY [5]) FROM planned
)
INSERT INTO clock (clock_id, branch, subject, pack, pack_version, policy, target, clause, cycle, state, provisional,
                   started_at, due_at, deadline_stands, pauses, owner, department, traceparent, fire_at, breach_step,
                   roles, generation)
SELECT clock_id, 'beijing', 'case/' || gen_random_uuid(), 'labour-dispatch', 1, 'complaint', 'first_response',
       '004 三(六)', 1, 'running', false, first - interval '12 hours', first + interval '12 hours', true, '[]',
       'bj.clerk', 'customer-service', '00-' || md5(number::text) || '-' || substr(md5('s' || number), 1, 16) || '-01',
       ARRAY [first, first + interval '7 hours', first + interval '12 hours', first + interval '12 hours',
              first + interval '36 hours'],
       2, ARRAY ['manager', 'general_manager'], 0
FROM planned;

-- name: arm_due
-- $1 clocks whose first warning falls due at $2.
WITH planned AS MATERIALIZED (
    SELECT gen_random_uuid() AS clock_id, number, $2::timestamptz AS at FROM generate_series(1, $1::integer) AS number
), armed AS (
    INSERT INTO timer (clock_id, branch, next_fire_at, step, breached, fired_at)
    SELECT clock_id, 'beijing', at, 0, false, array_fill(NULL::timestamptz, ARRAY [5]) FROM planned
)
INSERT INTO clock (clock_id, branch, subject, pack, pack_version, policy, target, clause, cycle, state, provisional,
                   started_at, due_at, deadline_stands, pauses, owner, department, traceparent, fire_at, breach_step,
                   roles, generation)
SELECT clock_id, 'beijing', 'case/' || gen_random_uuid(), 'labour-dispatch', 1, 'complaint', 'first_response',
       '004 三(六)', 1, 'running', false, at - interval '12 hours', at + interval '12 hours', true, '[]',
       'bj.clerk', 'customer-service', '00-' || md5(number::text) || '-' || substr(md5('s' || number), 1, 16) || '-01',
       ARRAY [at, at + interval '7 hours', at + interval '12 hours', at + interval '12 hours', at + interval '36 hours'],
       2, ARRAY ['manager', 'general_manager'], 0
FROM planned;

-- name: procrastinate_jobs
-- $1 jobs of procrastinate, scheduled at $2, a moment apart by $3.
INSERT INTO procrastinate_jobs (queue_name, task_name, args, status, scheduled_at)
SELECT 'fire', 'fire', '{}', 'todo', $2::timestamptz + number * $3::interval
FROM generate_series(1, $1::integer) AS number;
