-- Records that a peer has deleted, by the id that they had here: a message
-- captured earlier may still refer to them. One row per id, of the last record
-- that had it.

-- graves.create: creates table communicator_graves
-- unless table communicator_graves
CREATE TABLE communicator_graves (
    local_record_id varchar(255) NOT NULL,
    local_record_type varchar(255) NOT NULL,
    origin varchar(255) NOT NULL,
    original_id varchar(255) NOT NULL,
    PRIMARY KEY (local_record_id, local_record_type)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
