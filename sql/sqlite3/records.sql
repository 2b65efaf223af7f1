-- The records of a model: who made them, their id here, their clocks. A table
-- per model, made by lib/schema/migrate_records.c.
--
-- The column that distinguishes records comes first in each index, so that no
-- plan depends on statistics.
--
-- The rows stand in the order in which they come: in the order of the ids as
-- text they would be scattered.

-- create: makes the table of the records of {type_words}
CREATE TABLE {table} (
    original_id varchar(255) NOT NULL,
    origin varchar(255) NOT NULL,
    local_id {id_type},
    clock bigint NOT NULL DEFAULT 0,
    clocks text,
    deleted_at bigint,
    same_origin varchar(255),
    same_id varchar(255)
);
CREATE UNIQUE INDEX {table}_identity ON {table} (original_id, origin);
CREATE UNIQUE INDEX {table}_local ON {table} (local_id);

-- names: lets the other names of the records of {type_words} be found (match=)
CREATE INDEX {table}_same ON {table} (same_id) WHERE same_id IS NOT NULL;

-- id_type.integer: ids that are integers
bigint

-- id_type.text: any other ids
varchar(255)

-- retype: changes the type of the local ids of {type_words}
DROP VIEW IF EXISTS communicator_mappings;
CREATE TABLE {table}_new (
    original_id varchar(255) NOT NULL,
    origin varchar(255) NOT NULL,
    local_id {id_type},
    clock bigint NOT NULL DEFAULT 0,
    clocks text,
    deleted_at bigint,
    same_origin varchar(255),
    same_id varchar(255)
);
INSERT INTO {table}_new SELECT * FROM {table};
DROP TABLE {table};
ALTER TABLE {table}_new RENAME TO {table};
CREATE UNIQUE INDEX {table}_identity ON {table} (original_id, origin);
CREATE UNIQUE INDEX {table}_local ON {table} (local_id);
UPDATE communicator_models SET integer_ids = {integer} WHERE id = {number};

-- id.integer: an id as an integer
{column}

-- id.text: an id as text
{column}

-- view.part: what the view shows of a model
SELECT NULL AS id, origin, original_id, {type} AS local_record_type,
    CAST(local_id AS text) AS local_record_id, clock, clocks,
    coalesce(deleted_at, 0) AS deleted_at, same_origin, same_id
FROM {table}

-- view.none: the same of no model
SELECT NULL AS id, '' AS origin, '' AS original_id, '' AS local_record_type,
    '' AS local_record_id, 0 AS clock, '' AS clocks, 0 AS deleted_at,
    '' AS same_origin, '' AS same_id
WHERE 1 = 0

-- view.definition: what the view communicator_mappings shows now
SELECT sql FROM sqlite_master
WHERE type = 'view' AND name = 'communicator_mappings';

-- old: is communicator_mappings still the table of earlier versions
SELECT 1 FROM sqlite_master
WHERE type = 'table' AND name = 'communicator_mappings';
