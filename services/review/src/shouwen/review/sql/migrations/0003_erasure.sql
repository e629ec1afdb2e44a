-- Erasing a client: name, identifier and its hash go out of the file; number, kind, times and who registered stay.
-- Entries of the list of dishonest clients keep their own copy: their history is never lost (002 六5).
ALTER TABLE client
    ALTER COLUMN name DROP NOT NULL,
    ALTER COLUMN identifier DROP NOT NULL,
    ALTER COLUMN identifier_hash DROP NOT NULL,
    ADD COLUMN erased_at timestamptz,
    ADD CHECK ((erased_at IS NULL) = (name IS NOT NULL)),
    ADD CHECK ((erased_at IS NULL) = (identifier IS NOT NULL)),
    ADD CHECK ((erased_at IS NULL) = (identifier_hash IS NOT NULL));
CREATE INDEX client_by_identifier ON client (identifier_hash);

GRANT SELECT, UPDATE (name, identifier, identifier_hash, erased_at) ON client TO :"worker";
