-- Up to which id messages have numbers, and what may still be committed below
-- that.
--
-- Messages without a number are found by id in the index by number. MariaDB
-- can do so if that index is not unique: it does not append the primary key to
-- a unique one. The node's lock keeps numbers unique.

-- node.stamp: notes in communicator_node how far messages are numbered
-- unless column communicator_node.stamped_id
ALTER TABLE communicator_node
    ADD COLUMN stamped_id bigint NOT NULL DEFAULT 0, ADD COLUMN passed mediumtext;

-- outbound.order: makes the index of outbound_messages one that has the ids
-- unless index outbound_messages.outbound_messages_order_index
ALTER TABLE outbound_messages
    DROP INDEX outbound_messages_seq_index,
    ADD INDEX outbound_messages_order_index (seq);
