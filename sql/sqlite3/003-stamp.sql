-- Up to which id messages have numbers, and what may still be committed below
-- that. Here nothing may, as there is one writer at a time.

-- node.stamp: notes in communicator_node how far messages are numbered
-- unless column communicator_node.stamped_id
ALTER TABLE communicator_node
    ADD COLUMN stamped_id bigint NOT NULL DEFAULT 0;
ALTER TABLE communicator_node ADD COLUMN passed text;
