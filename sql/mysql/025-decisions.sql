-- What a person has decided of a column (conflict=hold): a peer that does not
-- know it yet goes on with its own value (lib/node/decisions.h).

-- decisions.create: creates table communicator_decisions
-- unless table communicator_decisions
CREATE TABLE communicator_decisions (
    model varchar(255) NOT NULL,
    local_record_id varchar(255) NOT NULL,
    column_name varchar(255) NOT NULL,
    peer varchar(255) NOT NULL,
    clock bigint NOT NULL,
    seen_clock bigint NOT NULL,
    taken int NOT NULL,
    PRIMARY KEY (model, local_record_id, column_name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
