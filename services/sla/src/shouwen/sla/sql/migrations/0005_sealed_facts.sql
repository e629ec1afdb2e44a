-- What only notify can open is not kept here: notices to requesters were, until now.
UPDATE fact SET data = data - 'sealed' WHERE event_type = 'case.notice_requested.v1' AND data ? 'sealed';
