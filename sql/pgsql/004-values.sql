-- Columns that do not keep the values written to them: a trigger of the
-- application, or the column's type, changes them. One row per column, for the
-- first record in which that was seen; migrate deletes them.

-- altered.create: creates table communicator_altered
-- unless table communicator_altered
CREATE TABLE communicator_altered (
    model varchar(255) NOT NULL,
    column_name varchar(255) NOT NULL,
    local_record_id varchar(255),
    written_value text,
    stored_value text,
    seen_at bigint NOT NULL,
    PRIMARY KEY (model, column_name)
);
