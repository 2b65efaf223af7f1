-- Columns that do not keep the values written to them: a trigger of the
-- application, or the column's type, changes them. One row per column, for the
-- first record in which that was seen; migrate deletes them.

-- altered.create: creates table communicator_altered
-- unless table communicator_altered
CREATE TABLE communicator_altered (
    model varchar(255) NOT NULL,
    column_name varchar(255) NOT NULL,
    local_record_id varchar(255),
    written_value longtext,
    stored_value longtext,
    seen_at bigint NOT NULL,
    PRIMARY KEY (model, column_name)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
