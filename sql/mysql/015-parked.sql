-- What is parked before a message of its record is tried with it, and must be
-- found while very many messages wait, as in a first load.

-- inbound.record: creates the index of parked messages by record
-- unless index inbound_messages.inbound_messages_record_index
CREATE INDEX inbound_messages_record_index
    ON inbound_messages (peer, original_id);
