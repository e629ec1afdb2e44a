-- name: time_zone_of
-- The zone of a branch.
SELECT time_zone FROM branch WHERE branch = $1;

-- name: persons_of
-- The people of a branch; an owner from elsewhere ($2) comes without roles, which hold in one's own branch only.
SELECT person, CASE WHEN branch = $1 THEN roles ELSE '{}' END AS roles, active, email IS NOT NULL AS reachable
FROM person WHERE branch = $1 OR person = $2;

-- name: delegates_of
-- Who stands in for whom in a branch at a time.
SELECT principal, delegate FROM delegation
WHERE branch = $1 AND NOT cancelled AND starts_at <= $2 AND ends_at > $2
ORDER BY principal, starts_at, delegation_id;

-- name: save_delegation
-- What the directory stream says about a delegation; an older fact does not undo a newer one.
INSERT INTO delegation (delegation_id, branch, principal, delegate, starts_at, ends_at, cancelled, described_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (delegation_id) DO UPDATE SET principal = excluded.principal, delegate = excluded.delegate,
    starts_at = excluded.starts_at, ends_at = excluded.ends_at, cancelled = excluded.cancelled,
    described_at = excluded.described_at
WHERE delegation.described_at <= excluded.described_at;

-- name: save_branch
-- What the directory stream says about a branch; an older fact does not undo a newer one.
INSERT INTO branch (branch, time_zone, described_at) VALUES ($1, $2, $3)
ON CONFLICT (branch) DO UPDATE SET time_zone = excluded.time_zone, described_at = excluded.described_at
WHERE branch.described_at IS NULL OR branch.described_at <= excluded.described_at;

-- name: save_person
-- What the directory stream says about a person; an older fact does not undo a newer one.
INSERT INTO person (person, branch, roles, active, email, described_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (person) DO UPDATE SET branch = excluded.branch, roles = excluded.roles, active = excluded.active,
    email = excluded.email, described_at = excluded.described_at
WHERE person.described_at IS NULL OR person.described_at <= excluded.described_at;

-- name: fill_branch
-- A branch of the directory file, unless the stream has described it.
INSERT INTO branch (branch, time_zone) VALUES ($1, $2)
ON CONFLICT (branch) DO UPDATE SET time_zone = excluded.time_zone WHERE branch.described_at IS NULL;

-- name: fill_person
-- A person of the directory file, unless the stream has described them.
INSERT INTO person (person, branch, roles, active, email) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (person) DO UPDATE SET branch = excluded.branch, roles = excluded.roles, active = excluded.active,
    email = excluded.email
WHERE person.described_at IS NULL;

-- name: add_matter
-- What a subject is called.
INSERT INTO matter (subject, branch, number) VALUES ($1, $2, $3) ON CONFLICT (subject) DO NOTHING;

-- name: mark_erased
-- Until when notices of a subject have no words any more; the latest time stands.
INSERT INTO matter (subject, branch, number, erased_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (subject) DO UPDATE SET erased_at = greatest(matter.erased_at, excluded.erased_at);

-- name: hold_matter
-- Keep erasures of a subject waiting until this transaction ends; until when its notices have no words.
SELECT erased_at FROM matter WHERE subject = $1 FOR SHARE;

-- name: erase_notices
-- Overwrite the words of a subject's notices that were asked for until $2, forget where they went, and give up those
-- that wait to be sent.
WITH erased AS (
    UPDATE message SET sealed_texts = $3, address = NULL
    WHERE subject = $1 AND sealed_texts IS NOT NULL AND requested_at <= $2
    RETURNING id
)
UPDATE delivery SET state = 'failed', next_attempt_at = NULL, failed_at = transaction_timestamp(), error = 'erased'
FROM erased WHERE delivery.message_id = erased.id AND delivery.state = 'pending';

-- name: number_of
-- What a subject is called.
SELECT number FROM matter WHERE subject = $1;

-- name: add_message
-- A message, once per cause and recipient; nothing comes back when the recipient was told before.
INSERT INTO message (
    id, branch, subject, cause_source, cause, cause_type, recipient, reason, template, texts, link, traceparent,
    created_at, sealed_texts, address, requested_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: add_inbox_delivery
-- The delivery to the inbox, which is done with the message itself.
INSERT INTO delivery (
    id, message_id, branch, subject, cause_source, cause, recipient, channel, state, attempts, pending_since, sent_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, 'inbox', 'sent', 1, $8, $8);

-- name: add_email_delivery
-- A delivery by e-mail, due at once.
INSERT INTO delivery (
    id, message_id, branch, subject, cause_source, cause, recipient, channel, state, pending_since, next_attempt_at
) VALUES ($1, $2, $3, $4, $5, $6, $7, 'email', 'pending', $8, $8);

-- name: claim_email
-- Take the e-mail that is due longest; other senders pass it over. $1: how long until its sender counts as lost.
WITH due AS (
    SELECT id FROM delivery
    WHERE state = 'pending' AND next_attempt_at <= transaction_timestamp()
    ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
    UPDATE delivery SET state = 'sending', attempts = attempts + 1, next_attempt_at = NULL,
        lost_at = transaction_timestamp() + $1::interval
    FROM due WHERE delivery.id = due.id
    RETURNING delivery.id, delivery.message_id, delivery.attempts, delivery.pending_since
)
SELECT claimed.id, claimed.message_id, claimed.attempts, claimed.pending_since, message.branch, message.subject,
    message.cause_source, message.cause, message.recipient, message.template, message.texts, message.traceparent,
    message.sealed_texts, message.created_at, coalesce(message.address, person.email) AS email
FROM claimed JOIN message ON message.id = claimed.message_id
LEFT JOIN person ON person.person = message.recipient AND person.active;

-- name: settle_email
-- Write what became of attempt $2. A sender that was thought lost still counts, unless an operator was quicker.
UPDATE delivery SET state = $3, next_attempt_at = $4, sent_at = $5, failed_at = $6, error = $7, lost_at = NULL
WHERE id = $1 AND attempts = $2 AND state IN ('sending', 'uncertain')
RETURNING id;

-- name: give_up_lost
-- Deliveries whose sender has died in the middle: nobody can know whether they went out.
UPDATE delivery SET state = 'uncertain', lost_at = NULL, error = 'the sender stopped in the middle'
WHERE state = 'sending' AND lost_at < transaction_timestamp()
RETURNING id;

-- name: deliveries
-- Deliveries as far as one may see them, in the order in which they were made. $1 subject, $2 state, $3 recipient.
SELECT delivery.id, delivery.seq, delivery.message_id, delivery.branch, delivery.subject, delivery.cause,
    message.cause_type, delivery.recipient, message.reason, delivery.channel, message.template, delivery.state,
    delivery.attempts, message.created_at, delivery.sent_at, delivery.failed_at, delivery.next_attempt_at,
    delivery.error, delivery.resent_by, message.traceparent
FROM delivery JOIN message ON message.id = delivery.message_id
WHERE ($1::text IS NULL OR delivery.subject = $1) AND ($2::text IS NULL OR delivery.state = $2)
    AND ($3::text IS NULL OR delivery.recipient = $3) AND delivery.seq > $4
ORDER BY delivery.seq LIMIT $5;

-- name: delivery_by_id
-- One delivery.
SELECT delivery.id, delivery.seq, delivery.message_id, delivery.branch, delivery.subject, delivery.cause,
    message.cause_type, delivery.recipient, message.reason, delivery.channel, message.template, delivery.state,
    delivery.attempts, message.created_at, delivery.sent_at, delivery.failed_at, delivery.next_attempt_at,
    delivery.error, delivery.resent_by, message.traceparent
FROM delivery JOIN message ON message.id = delivery.message_id
WHERE delivery.id = $1;

-- name: resend_email
-- Another attempt, wanted by an operator.
UPDATE delivery SET state = 'pending', pending_since = $2, next_attempt_at = $2, failed_at = NULL, error = NULL,
    resent_by = $3
WHERE id = $1 AND state IN ('failed', 'uncertain') AND channel = 'email'
RETURNING id;

-- name: inbox
-- Messages to a person or to a role they hold, unread first, newest first. $2, $3: where the page before ended.
SELECT id, seq, branch, subject, cause_type, reason, template, texts, sealed_texts, link, created_at, read_at, traceparent
FROM message
WHERE recipient = ANY ($1::text[])
    AND ($2::boolean IS NULL OR ((read_at IS NOT NULL), -seq) > ($2::boolean, -$3::bigint))
ORDER BY (read_at IS NOT NULL), seq DESC LIMIT $4;

-- name: mark_read
-- A message was read by one of those whom it tells; the first time stands.
UPDATE message SET read_at = coalesce(read_at, $3), read_by = coalesce(read_by, $4)
WHERE id = $1 AND recipient = ANY ($2::text[])
RETURNING id, read_at;
