-- name: save_branch
-- A branch as the directory last described it; the directory file ($5) does not replace what the stream told.
INSERT INTO branch (branch, name, time_zone, packs, from_file) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (branch) DO UPDATE SET
    name = excluded.name, time_zone = excluded.time_zone, packs = excluded.packs, from_file = excluded.from_file
WHERE branch.from_file OR NOT excluded.from_file;

-- name: get_branches
-- The branches of these codes.
SELECT branch, time_zone, packs FROM branch WHERE branch = ANY ($1::text[]);

-- name: all_branches
-- Every branch that may be seen.
SELECT branch, time_zone, packs FROM branch ORDER BY branch;
