-- What is known of each record stands in a table per model, and no longer in
-- communicator_mappings, which becomes a view: lib/schema/migrate_records.c does
-- that with records.sql, before the version is noted.

-- models.create: creates table communicator_models
-- unless table communicator_models
CREATE TABLE communicator_models (
    id int NOT NULL PRIMARY KEY,
    type varchar(255) NOT NULL UNIQUE,
    integer_ids int NOT NULL DEFAULT 0
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- columns.create: creates table communicator_columns
-- unless table communicator_columns
CREATE TABLE communicator_columns (
    model int NOT NULL,
    number int NOT NULL,
    name varchar(255) NOT NULL,
    PRIMARY KEY (model, number)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
