-- All tables of the application's database, for lib/schema/catalog.c. Every
-- database gives the same columns. A schema is NULL where a table is found
-- without one.

-- tables: schema, name, kind, and what makes it of that kind
SELECT NULL, t.table_name,
    CASE t.table_type WHEN 'BASE TABLE' THEN 'table'
        WHEN 'SYSTEM VERSIONED' THEN 'table' ELSE LOWER(t.table_type) END,
    NULL
FROM information_schema.tables AS t
WHERE t.table_schema = DATABASE();

-- columns: schema, table, column, its type without length, whether it is
-- nullable, is 0 by default, gets a value from the database, and only from there
SELECT NULL, c.table_name, c.column_name, c.column_type,
    CASE WHEN c.column_type LIKE 'tinyint(1)%%' THEN 'boolean'
        WHEN c.column_type = 'bit(1)' THEN 'boolean' ELSE c.data_type END,
    c.is_nullable = 'YES',
    COALESCE(c.column_default IN ('0', '''0'''), 0),
    NULLIF(c.column_default, 'NULL') IS NOT NULL
        OR c.extra LIKE '%%auto_increment%%',
    COALESCE(c.generation_expression, '') <> ''
FROM information_schema.columns AS c
WHERE c.table_schema = DATABASE()
ORDER BY c.table_name, c.ordinal_position;

-- unique: schema, table, unique index, whether it is the primary key, and its
-- columns in their order (NULL: an expression)
SELECT NULL, s.table_name, s.index_name, s.index_name = 'PRIMARY',
    CASE WHEN s.sub_part IS NULL THEN s.column_name END
FROM information_schema.statistics AS s
WHERE s.table_schema = DATABASE() AND s.non_unique = 0
ORDER BY s.table_name, s.index_name, s.seq_in_index;

-- foreign: schema, table, foreign key, and its columns in their order, each
-- with the table's schema, the table and the column that it refers to (NULL:
-- its primary key), and whether the key refuses that this row is deleted
SELECT NULL, k.table_name, k.constraint_name, k.column_name,
    NULLIF(k.referenced_table_schema, DATABASE()), k.referenced_table_name,
    k.referenced_column_name, r.delete_rule IN ('RESTRICT', 'NO ACTION')
FROM information_schema.key_column_usage AS k
    JOIN information_schema.referential_constraints AS r
        ON r.constraint_schema = DATABASE() AND r.table_name = k.table_name
            AND r.constraint_name = k.constraint_name
WHERE k.table_schema = DATABASE() AND k.referenced_table_name IS NOT NULL
ORDER BY k.table_name, k.constraint_name, k.ordinal_position;

-- hazards: schema, table, what it has that needs care, its name, and its text:
-- a trigger of the application, triggers of ours with the rights of another user
-- (its text: none, if that user is not known to be gone: who may not see other
-- users sees only the own one), a column that every update sets, numbers that
-- leave room for those of another database
SELECT NULL, t.event_object_table AS table_name, 'trigger' AS kind,
    t.trigger_name AS name, t.action_statement
FROM information_schema.triggers AS t
WHERE t.event_object_schema = DATABASE()
    AND t.trigger_name NOT LIKE 'communicator\_%%'
UNION ALL
SELECT DISTINCT NULL, t.event_object_table, 'definer', t.definer,
    CASE WHEN 1 < (SELECT count(DISTINCT grantee)
        FROM information_schema.user_privileges) THEN 'gone' END
FROM information_schema.triggers AS t
WHERE t.event_object_schema = DATABASE()
    AND t.trigger_name LIKE 'communicator\_%%'
    AND t.definer <> CURRENT_USER()
    AND CONCAT('\'', INSERT(t.definer, CHAR_LENGTH(t.definer)
        - LOCATE('@', REVERSE(t.definer)) + 1, 1, '\'@\''), '\'')
        NOT IN (SELECT grantee FROM information_schema.user_privileges)
UNION ALL
SELECT NULL, c.table_name, 'increment', c.column_name,
    @@auto_increment_increment
FROM information_schema.columns AS c
WHERE c.table_schema = DATABASE() AND c.extra LIKE '%%auto_increment%%'
    AND @@auto_increment_increment > 1
UNION ALL
SELECT NULL, c.table_name, 'on update', c.column_name, NULL
FROM information_schema.columns AS c
WHERE c.table_schema = DATABASE() AND c.extra LIKE '%%on update%%'
ORDER BY table_name, kind, name;
