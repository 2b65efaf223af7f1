-- The records of a model: who made them, their id here, their clocks. A table
-- per model, made by lib/schema/migrate_records.c.
--
-- The column that distinguishes records comes first in each index, so that no
-- plan depends on statistics.
--
-- The primary key keeps the rows in the order in which they come: in the order
-- of the ids as text they would be scattered. (A cluster needs one, too.)

-- create: makes the table of the records of {type_words}
CREATE TABLE IF NOT EXISTS {table} (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    original_id varchar(255) NOT NULL,
    origin varchar(255) NOT NULL,
    local_id {id_type},
    clock bigint NOT NULL DEFAULT 0,
    clocks mediumtext,
    deleted_at bigint,
    same_origin varchar(255),
    same_id varchar(255),
    UNIQUE INDEX {table}_identity (original_id, origin),
    UNIQUE INDEX {table}_local (local_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- names: lets the other names of the records of {type_words} be found (match=).
-- Each record has an entry, which costs a quarter of what its row costs.
CREATE INDEX {table}_same ON {table} (same_id);

-- id_type.integer: ids that are integers
bigint

-- id_type.text: any other ids
varchar(255)

-- retype: changes the type of the local ids of {type_words}
UPDATE {table} SET local_id = NULL
WHERE {integer} = 1 AND {id} IS NULL AND local_id IS NOT NULL;
ALTER TABLE {table} MODIFY local_id {id_type};
UPDATE communicator_models SET integer_ids = {integer} WHERE id = {number};

-- id.integer: an id as an integer; NULL: it is none
CASE WHEN {column} REGEXP '^(0|-?[1-9][0-9]{0,18})$'
    THEN CASE WHEN ABS(CAST({column} AS DECIMAL(20))) <= 9223372036854775807
        THEN CAST({column} AS SIGNED) END END

-- id.text: an id as text
{column}

-- view.part: what the view shows of a model
SELECT CAST(NULL AS SIGNED) AS id, origin, original_id,
    CAST({type} AS CHAR(255))
        COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */
        AS local_record_type,
    CAST(local_id AS CHAR(255))
        COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */
        AS local_record_id,
    clock, clocks, COALESCE(deleted_at, 0) AS deleted_at, same_origin, same_id
FROM {table}

-- view.none: the same of no model
SELECT NULL AS id, '' AS origin, '' AS original_id, '' AS local_record_type,
    '' AS local_record_id, 0 AS clock, '' AS clocks, 0 AS deleted_at,
    '' AS same_origin, '' AS same_id
FROM dual WHERE 1 = 0

-- view.definition: what the view communicator_mappings shows now
SELECT view_definition FROM information_schema.views
WHERE table_schema = DATABASE() AND table_name = 'communicator_mappings';

-- old: is communicator_mappings still the table of earlier versions
SELECT 1 FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = 'communicator_mappings'
    AND table_type = 'BASE TABLE';
