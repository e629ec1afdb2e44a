-- name: advance_head
-- Take the next place in a case's order; the row stays locked until the commit.
INSERT INTO head (case_id, branch, last) VALUES ($1, $2, 1)
ON CONFLICT (case_id) DO UPDATE SET last = head.last + 1 RETURNING last;

-- name: add_entry
-- Book one event.
INSERT INTO entry (branch, case_id, event_id, what, place) VALUES ($1, $2, $3, $4, $5);

-- name: list_entries
-- All that the asker may see.
SELECT branch, case_id, event_id, what, place FROM entry ORDER BY id;
