-- name: count_attempts
-- One more attempt in each bucket; in one order for all, so that nobody waits in a circle.
INSERT INTO public_attempt (bucket, began_at, attempts)
SELECT bucket, $2, 1 FROM unnest($1::text[]) AS bucket ORDER BY bucket
ON CONFLICT (bucket, began_at) DO UPDATE SET attempts = public_attempt.attempts + 1
RETURNING bucket, attempts;

-- name: forgive_attempt
-- An attempt that succeeded does not count.
UPDATE public_attempt SET attempts = attempts - 1 WHERE bucket = $1 AND began_at = $2 AND attempts > 0;

-- name: forget_attempts
-- Windows that are over; what another transaction holds stays for the next.
DELETE FROM public_attempt WHERE (bucket, began_at) IN (
    SELECT bucket, began_at FROM public_attempt WHERE began_at < $1
    ORDER BY began_at LIMIT 500 FOR UPDATE SKIP LOCKED
);
