-- What CommunicatorAfterApply has still to do: a row for each batch that changed
-- one of its models.

-- after.create: creates table communicator_after
-- unless table communicator_after
CREATE TABLE communicator_after (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    models varchar(255) NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
