-- Erasing the words about a person: notices that were asked for until then lose theirs, also those heard later.

-- Until when notices of this subject have no words any more.
ALTER TABLE matter ADD COLUMN erased_at timestamptz;

-- When a notice to a requester was asked for; null for what is told to staff.
ALTER TABLE message ADD COLUMN requested_at timestamptz;
UPDATE message SET requested_at = created_at WHERE sealed_texts IS NOT NULL;
ALTER TABLE message ADD CHECK ((sealed_texts IS NULL) = (requested_at IS NULL));
CREATE INDEX message_sealed ON message (subject) WHERE sealed_texts IS NOT NULL;

GRANT UPDATE (sealed_texts, address) ON message TO :"worker";
