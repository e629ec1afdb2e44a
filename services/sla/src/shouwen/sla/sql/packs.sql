-- name: published_packs
-- Every published version of every pack.
SELECT pack, version, branch, document, published_at FROM pack ORDER BY pack, version;

-- name: add_pack
-- A version of a pack.
INSERT INTO pack (pack, version, branch, effective_from, document, revision, published_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING published_at;

-- name: get_pack
-- One published version.
SELECT branch, document, published_by, published_at FROM pack WHERE pack = $1 AND version = $2;
