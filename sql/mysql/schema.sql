-- What lib/schema/migrate*.c needs of this database only.

-- lock: allows one migration at a time
SELECT GET_LOCK(CONCAT('communicator ', LEFT(SHA2(DATABASE(), 256), 32)), 60);

-- unlock: releases that lock
SELECT RELEASE_LOCK(CONCAT('communicator ', LEFT(SHA2(DATABASE(), 256), 32)));

-- patience: how long a step waits for the application's locks, while all else
-- of the application waits behind it; then it is tried again
SET SESSION lock_wait_timeout = 1;

-- table: is there a table of that name
SELECT 1 FROM information_schema.tables
WHERE table_schema = DATABASE() AND table_name = %s;

-- column: has that table a column of that name
SELECT 1 FROM information_schema.columns
WHERE table_schema = DATABASE() AND table_name = %s AND column_name = %s;

-- index: has that table an index of that name
SELECT 1 FROM information_schema.statistics
WHERE table_schema = DATABASE() AND table_name = %s AND index_name = %s
LIMIT 1;

-- standby: why this database takes no writes, or NULL
SELECT CASE WHEN @@global.read_only
    THEN 'read_only is on, as on a standby' END;

-- table_key: what identifies the table NAME in SCHEMA (or NULL)
SELECT IF(@@lower_case_table_names, LOWER(full), full)
FROM (SELECT CONCAT(COALESCE(%s, DATABASE()), '.', %s) AS full) AS named;

-- triggers: our triggers: key and name of the table, how to drop them, their
-- names
SELECT IF(@@lower_case_table_names,
        LOWER(CONCAT(event_object_schema, '.', event_object_table)),
        CONCAT(event_object_schema, '.', event_object_table)),
    event_object_table,
    CONCAT('DROP TRIGGER `', REPLACE(trigger_schema, '`', '``'), '`.`',
        REPLACE(trigger_name, '`', '``'), '`'),
    trigger_name
FROM information_schema.triggers
WHERE trigger_name LIKE 'communicator\_%%'
    AND INSTR(action_statement,
        CONCAT('`', DATABASE(), '`.outbound_messages')) > 0
ORDER BY trigger_name;

-- applying: is there the function that tells a trigger of the application
-- whether messages are being applied
SELECT 1 FROM information_schema.routines
WHERE routine_schema = DATABASE() AND routine_name = 'communicator_applying';

-- applying.create: makes the function communicator_applying()
CREATE /*M! OR REPLACE */ FUNCTION communicator_applying() RETURNS BOOLEAN
    NO SQL
    RETURN COALESCE(@communicator_applying, '') <> ''
;;
