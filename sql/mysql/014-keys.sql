-- A record whose key changes stays the same record: the captured row names the
-- key before the change, too.

-- outbox.former: adds former_record_id to outbound_messages
-- unless column outbound_messages.former_record_id
ALTER TABLE outbound_messages ADD COLUMN former_record_id varchar(255);
