-- What lib/schema needs of every database about the tables of records.

-- models: the models that have a table of records
SELECT id, type, integer_ids FROM communicator_models ORDER BY id;

-- columns: the numbers of their columns
SELECT model, number, name FROM communicator_columns ORDER BY model, number;

-- old.types: the classes of the records in that table
SELECT DISTINCT local_record_type FROM communicator_mappings
ORDER BY local_record_type;

-- move: moves what is known of the records of {type_words} into their table
INSERT INTO {table} (local_id, origin, original_id, clock, clocks, deleted_at,
    same_origin, same_id)
SELECT {id}, b.origin, b.original_id, b.clock, b.clocks,
    nullif(b.deleted_at, 0), s.origin, s.original_id
FROM communicator_mappings AS b
    LEFT JOIN communicator_mappings AS s ON s.id = b.same_as
WHERE b.local_record_type = {type}
    AND NOT EXISTS (SELECT 1 FROM {table} AS r
        WHERE r.original_id = b.original_id AND r.origin = b.origin);

-- old.drop: drops the table communicator_mappings of earlier versions
DROP TABLE communicator_mappings;

-- note: notes the table of the records of {type_words}
INSERT INTO communicator_models (id, type, integer_ids)
VALUES ({number}, {type}, {integer});

-- number: gives the columns of {type_words} their numbers
INSERT INTO communicator_columns (model, number, name) VALUES {values};

-- view: lets communicator_mappings show what is known of all records
DROP VIEW IF EXISTS communicator_mappings;
CREATE VIEW communicator_mappings AS {parts};
