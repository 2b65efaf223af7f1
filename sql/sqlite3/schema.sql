-- What lib/schema/migrate*.c needs of this database only.

-- table: is there a table of that name
SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = %s;

-- column: has that table a column of that name
SELECT 1 FROM pragma_table_info(%s) WHERE name = %s;

-- index: has that table an index of that name
SELECT 1 FROM sqlite_master
WHERE type = 'index' AND tbl_name = %s AND name = %s;

-- journal: how the database keeps its journal
PRAGMA journal_mode;

-- journal.set: lets readers and a writer work at the same time (WAL)
PRAGMA journal_mode = WAL;

-- roomy: keeps in a file what a step would need to be undone: it may be about
-- millions of records
PRAGMA temp_store = FILE;

-- strangers: columns that would be lost when a gem's table is rebuilt
SELECT t.name || '.' || c.name
FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c
WHERE t.type = 'table'
    AND t.name IN ('outbound_messages', 'inbound_messages',
        'communicator_mappings')
    AND c.name NOT IN ('id', 'body', 'created_at', 'updated_at', 'origin',
        'original_id')
    AND NOT (t.name = 'outbound_messages' AND c.name = 'delivered_at')
    AND NOT (t.name = 'inbound_messages' AND c.name = 'processed_at')
    AND NOT (t.name = 'communicator_mappings'
        AND c.name IN ('local_record_type', 'local_record_id'))
ORDER BY 1;

-- table_key: what identifies the table NAME in SCHEMA (or NULL)
SELECT CASE WHEN lower(coalesce(schema, 'main')) = 'main' THEN lower(name) END
FROM (SELECT %s AS schema, %s AS name);

-- triggers: our triggers: key and name of the table, how to drop them, their
-- names
SELECT lower(tbl_name), tbl_name,
    'DROP TRIGGER "' || replace(name, '"', '""') || '"', name
FROM sqlite_master
WHERE type = 'trigger' AND substr(name, 1, 13) = 'communicator_'
ORDER BY name;
