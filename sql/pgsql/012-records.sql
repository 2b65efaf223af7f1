-- What is known of each record stands in a table per model, and no longer in
-- communicator_mappings, which becomes a view: lib/schema/migrate_records.c does
-- that with records.sql, before the version is noted.

-- models.create: creates table communicator_models
-- unless table communicator_models
CREATE TABLE communicator_models (
    id integer PRIMARY KEY,
    type varchar(255) COLLATE "C" NOT NULL UNIQUE,
    integer_ids integer NOT NULL DEFAULT 0
);

-- columns.create: creates table communicator_columns
-- unless table communicator_columns
CREATE TABLE communicator_columns (
    model integer NOT NULL,
    number integer NOT NULL,
    name varchar(255) COLLATE "C" NOT NULL,
    PRIMARY KEY (model, number)
);
