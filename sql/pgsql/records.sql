-- The records of a model: who made them, their id here, their clocks. A table
-- per model, made by lib/schema/migrate_records.c.
--
-- The column that distinguishes records comes first in each index, so that no
-- plan depends on statistics.
--
-- Without a primary key, rows of a table that is published by logical
-- replication (FOR ALL TABLES) could not be changed.

-- create: makes the table of the records of {type_words}
CREATE TABLE {table} (
    clock bigint NOT NULL DEFAULT 0,
    deleted_at bigint,
    local_id {id_type},
    origin varchar(255) COLLATE "C" NOT NULL,
    original_id varchar(255) COLLATE "C" NOT NULL,
    clocks text,
    same_origin varchar(255) COLLATE "C",
    same_id varchar(255) COLLATE "C",
    CONSTRAINT {table}_identity PRIMARY KEY (original_id, origin)
) WITH (fillfactor = 50);
CREATE UNIQUE INDEX {table}_local ON {table} (local_id);

-- names: lets the other names of the records of {type_words} be found (match=)
CREATE INDEX {table}_same ON {table} (same_id) WHERE same_id IS NOT NULL;

-- id_type.integer: ids that are integers
bigint

-- id_type.text: any other ids
varchar(255) COLLATE "C"

-- retype: changes the type of the local ids of {type_words}
DROP VIEW IF EXISTS communicator_mappings;
ALTER TABLE {table} ALTER COLUMN local_id TYPE {id_type} USING {id};
UPDATE communicator_models SET integer_ids = {integer} WHERE id = {number};

-- id.integer: an id as an integer; NULL: it is none
CASE WHEN CAST({column} AS text) ~ '^(0|-?[1-9][0-9]{0,18})$'
    THEN CASE WHEN abs(CAST(CAST({column} AS text) AS numeric))
            <= 9223372036854775807
        THEN CAST(CAST({column} AS text) AS bigint) END END

-- id.text: an id as text
CAST({column} AS varchar(255))

-- view.part: what the view shows of a model
SELECT CAST(NULL AS bigint) AS id, origin, original_id,
    CAST({type} AS varchar(255)) AS local_record_type,
    CAST(local_id AS varchar(255)) AS local_record_id, clock, clocks,
    coalesce(deleted_at, 0) AS deleted_at, same_origin, same_id
FROM {table}

-- view.none: the same of no model
SELECT CAST(NULL AS bigint) AS id, '' AS origin, '' AS original_id,
    '' AS local_record_type, '' AS local_record_id, CAST(0 AS bigint) AS clock,
    '' AS clocks, CAST(0 AS bigint) AS deleted_at, '' AS same_origin,
    '' AS same_id
WHERE 1 = 0

-- view.definition: what the view communicator_mappings shows now
SELECT pg_get_viewdef(oid) FROM pg_class
WHERE oid = to_regclass('communicator_mappings') AND relkind = 'v';

-- old: is communicator_mappings still the table of earlier versions
SELECT 1 FROM pg_class
WHERE oid = to_regclass('communicator_mappings') AND relkind = 'r';
