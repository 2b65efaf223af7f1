-- Batches as they were received: the history of what a peer has sent. A row of
-- inbound_messages is needed only for a message that is not applied yet.

-- received.create: creates table communicator_received
-- unless table communicator_received
CREATE TABLE communicator_received (
    peer varchar(255) NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    messages integer NOT NULL,
    received_at bigint NOT NULL,
    wire longblob,
    PRIMARY KEY (peer, first_seq)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- node.history: adds history to communicator_node
-- unless column communicator_node.history
ALTER TABLE communicator_node ADD COLUMN history varchar(10);

-- node.rows: keeps a row of each message received, if the gem did so here
UPDATE communicator_node SET history = 'rows'
WHERE migrated_seq > 0
    OR EXISTS (SELECT 1 FROM inbound_messages WHERE action IS NULL);
