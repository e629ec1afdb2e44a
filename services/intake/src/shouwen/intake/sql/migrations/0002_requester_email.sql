-- The address to which a requester is told how their matter goes; encrypted, and found by its keyed hash.
ALTER TABLE cases ADD COLUMN requester_email bytea, ADD COLUMN requester_email_hash text;
CREATE INDEX cases_by_email ON cases (requester_email_hash, id DESC) WHERE requester_email_hash IS NOT NULL;
