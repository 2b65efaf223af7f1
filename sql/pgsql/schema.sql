-- What lib/schema/migrate*.c needs of this database only.

-- lock: allows one migration at a time
SELECT 1 FROM pg_advisory_xact_lock(hashtext(
    'communicator migrate ' || current_schema()));

-- patience: how long a step waits for the application's locks, while all else
-- of the application waits behind it; then it is tried again
SET LOCAL lock_timeout = '1s';

-- table: is there a table of that name
SELECT 1 FROM pg_class WHERE oid = to_regclass(%s);

-- column: has that table a column of that name
SELECT 1 FROM pg_attribute
WHERE attrelid = to_regclass(%s) AND attname = %s AND NOT attisdropped;

-- index: has that table an index of that name
SELECT 1 FROM pg_index
WHERE indrelid = to_regclass(%s) AND indexrelid = to_regclass(%s);

-- standby: why this database takes no writes, or NULL
SELECT CASE WHEN pg_is_in_recovery() THEN 'it is a standby (in recovery)'
    WHEN current_setting('transaction_read_only') = 'on'
    THEN 'its sessions are read-only (default_transaction_read_only)' END;

-- table_key: what identifies the table NAME in SCHEMA (or NULL)
SELECT CAST(CAST(to_regclass(
    coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid) AS text);

-- triggers: our triggers: key and name of the table, how to drop them, their
-- names. A partition has the key of its table.
SELECT CAST(coalesce(pg_partition_root(t.tgrelid), t.tgrelid) AS oid),
    CAST(CAST(t.tgrelid AS regclass) AS text),
    'DROP TRIGGER IF EXISTS ' || quote_ident(t.tgname) || ' ON '
        || CAST(t.tgrelid AS regclass), t.tgname
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE NOT t.tgisinternal AND t.tgname LIKE 'communicator\_%%'
    AND p.pronamespace = (SELECT relnamespace FROM pg_class
        WHERE oid = to_regclass('communicator_node'))
ORDER BY t.tgrelid, t.tgname;

-- functions: how to drop our functions that no trigger calls
SELECT 'DROP FUNCTION ' || CAST(p.oid AS regprocedure)
FROM pg_proc AS p
WHERE p.proname LIKE 'communicator\_%%'
    AND p.prorettype = CAST('trigger' AS regtype)
    AND p.pronamespace = (SELECT relnamespace FROM pg_class
        WHERE oid = to_regclass('communicator_node'))
    AND NOT EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgfoid = p.oid)
ORDER BY 1;

-- applying: is there the function that tells a trigger of the application
-- whether messages are being applied
SELECT 1 WHERE to_regprocedure('communicator_applying()') IS NOT NULL;

-- applying.create: makes the function communicator_applying()
CREATE FUNCTION communicator_applying() RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('communicator.applying', true), '') <> ''
$$
;;
