-- name: mail_by_message
-- A mail that came before.
SELECT * FROM mail WHERE message_hash = $1;

-- name: mail_by_id
-- One mail, held until this transaction ends.
SELECT * FROM mail WHERE id = $1 FOR UPDATE;

-- name: mails
-- A page of the mails in one state, the oldest first.
SELECT * FROM mail WHERE state = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3;

-- name: add_mail
-- A mail, with what became of it; nothing comes back when it came before.
INSERT INTO mail (
    id, branch, message_hash, body_sha256, state, reason, case_id, received_at, sender, subject, size_bytes, place,
    data_key, decided_at, decided_by
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (message_hash) DO NOTHING
RETURNING id;

-- name: decide_mail
-- What a person made of a mail that was set aside.
UPDATE mail SET branch = $2, state = $3, reason = $4, case_id = $5, decided_at = $6, decided_by = $7 WHERE id = $1;

-- name: case_of_thread
-- The case that an earlier mail of a thread belongs to; of several the one that stands first in the list.
SELECT mail.branch, mail.case_id FROM unnest($1::text[]) WITH ORDINALITY AS thread (message_hash, place)
JOIN mail USING (message_hash) WHERE mail.case_id IS NOT NULL ORDER BY thread.place LIMIT 1;

-- name: first_asked
-- Who is asked first in a branch when nobody was named: its coordinator, else a manager, else its general manager.
SELECT person FROM person
WHERE branch = $1 AND active AND roles && ARRAY['coordinator', 'manager', 'general_manager']
ORDER BY CASE WHEN 'coordinator' = ANY (roles) THEN 1 WHEN 'manager' = ANY (roles) THEN 2 ELSE 3 END, person LIMIT 1;

-- name: add_look
-- A look at a mail that belongs to no case; the mail's id stands in the case's place.
INSERT INTO look (at, person, case_id, branch, fields, trace_id) VALUES ($1, $2, $3, $4, $5, $6);
