-- Messages that were sent, a row for each batch: their rows leave
-- outbound_messages when they get their numbers.

-- batches.create: creates table communicator_batches
-- unless table communicator_batches
CREATE TABLE communicator_batches (
    last_seq bigint NOT NULL PRIMARY KEY,
    first_seq bigint NOT NULL,
    clock bigint NOT NULL,
    oldest bigint NOT NULL,
    made_at bigint NOT NULL,
    wire longblob NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
