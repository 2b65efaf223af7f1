-- What the application's tables look like. Every database gives the same
-- columns, see lib/schema/table.c.

-- columns: the columns of the table NAME in SCHEMA (or NULL), in its order.
-- Both are compared everywhere, for otherwise the server opens every table of
-- every database.
SELECT c.column_name, c.column_type,
    CASE
        WHEN c.column_type LIKE 'tinyint(1)%%' THEN 'boolean'
        WHEN c.column_type = 'bit(1)' THEN 'boolean'
        WHEN c.data_type = 'longtext' AND EXISTS (
            SELECT 1 FROM information_schema.check_constraints AS k
            WHERE k.constraint_schema = COALESCE(%s, DATABASE())
                /*M! AND k.table_name = %s */
                AND k.check_clause = CONCAT('json_valid(`', c.column_name, '`)')
        ) THEN 'json'
        ELSE c.data_type
    END,
    CASE WHEN c.data_type IN ('char', 'varchar', 'binary', 'varbinary')
        THEN c.character_maximum_length
        WHEN c.data_type LIKE '%%blob'
        THEN LEAST(c.character_maximum_length, 2147483647) ELSE 0 END,
    CASE WHEN c.data_type LIKE '%%text' THEN c.character_octet_length
        ELSE 0 END,
    COALESCE(c.numeric_precision, 0), COALESCE(c.numeric_scale, -1),
    COALESCE(c.datetime_precision, 0),
    c.is_nullable = 'YES',
    NULLIF(c.column_default, 'NULL') IS NOT NULL OR c.extra LIKE '%%auto_increment%%',
    COALESCE(c.generation_expression, '') <> '',
    c.column_name IN (SELECT MIN(s.column_name)
        FROM information_schema.statistics AS s
        WHERE s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s
            AND s.non_unique = 0
        GROUP BY s.index_name
        HAVING COUNT(*) = 1 AND COUNT(s.sub_part) = 0),
    c.extra LIKE '%%auto_increment%%',
    CASE t.table_type WHEN 'BASE TABLE' THEN 'table' ELSE LOWER(t.table_type)
    END,
    c.column_type LIKE '%%unsigned%%',
    c.extra LIKE '%%on update%%',
    EXISTS (SELECT 1 FROM information_schema.triggers AS g
        WHERE g.event_object_schema = COALESCE(%s, DATABASE())
            AND g.event_object_table = %s AND g.event_manipulation <> 'DELETE'
            AND g.trigger_name NOT LIKE 'communicator\_%%'),
    NULL
FROM information_schema.columns AS c
    JOIN information_schema.tables AS t
        ON t.table_schema = COALESCE(%s, DATABASE()) AND t.table_name = %s
WHERE c.table_schema = COALESCE(%s, DATABASE()) AND c.table_name = %s
ORDER BY c.ordinal_position;

-- names: the names of the columns of the table NAME in SCHEMA (or NULL): has it
-- changed?
SELECT c.column_name
FROM information_schema.columns AS c
WHERE c.table_schema = COALESCE(%s, DATABASE()) AND c.table_name = %s;

-- unique: the columns of each unique index of the table NAME in SCHEMA (or
-- NULL): the index, the column (NULL: an expression), and whether the column is
-- of the partition key, which must be in every index
SELECT s.index_name, CASE WHEN s.sub_part IS NULL THEN s.column_name END, 0
FROM information_schema.statistics AS s
WHERE s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s
    AND s.non_unique = 0
ORDER BY s.index_name, s.seq_in_index;

-- apart: the columns of the table NAME in SCHEMA (or NULL) in which rows must
-- differ, alone or in several columns, and to which no foreign key leads
SELECT DISTINCT s.column_name
FROM information_schema.statistics AS s
WHERE s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s
    AND s.non_unique = 0 AND s.column_name IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM information_schema.key_column_usage AS k
        WHERE k.referenced_table_schema = s.table_schema
            AND k.referenced_table_name = s.table_name
            AND k.referenced_column_name = s.column_name
    );

-- tied: the columns of the table NAME in SCHEMA (or NULL) whose values other
-- rows forbid or need, by a unique index or a foreign key. NULL: perhaps any
-- column (an expression)
SELECT DISTINCT CASE WHEN COALESCE(c.generation_expression, '') = ''
    THEN c.column_name END
FROM information_schema.statistics AS s
    LEFT JOIN information_schema.columns AS c
        ON c.table_schema = COALESCE(%s, DATABASE()) AND c.table_name = %s
            AND c.column_name = s.column_name
WHERE s.table_schema = COALESCE(%s, DATABASE()) AND s.table_name = %s
    AND s.non_unique = 0
UNION
SELECT k.column_name
FROM information_schema.key_column_usage AS k
WHERE k.table_schema = COALESCE(%s, DATABASE()) AND k.table_name = %s
    AND k.referenced_table_name IS NOT NULL;

-- bound: the columns of the table NAME in SCHEMA (or NULL) that a foreign key
-- of their own keeps from holding a key which no row has
SELECT MIN(k.column_name)
FROM information_schema.key_column_usage AS k
WHERE k.table_schema = COALESCE(%s, DATABASE()) AND k.table_name = %s
    AND k.referenced_table_name IS NOT NULL
GROUP BY k.constraint_name
HAVING COUNT(*) = 1;

-- judge: what is wrong with the table NAME in SCHEMA (or NULL): its engine
-- cannot roll back; foreign keys change it along with other tables, which
-- fires no trigger
SELECT 'engine', t.engine
FROM information_schema.tables AS t
    JOIN information_schema.engines AS e ON e.engine = t.engine
WHERE t.table_schema = COALESCE(%s, DATABASE()) AND t.table_name = %s
    AND COALESCE(e.transactions, 'NO') <> 'YES'
UNION ALL
SELECT 'cascades', GROUP_CONCAT(DISTINCT r.referenced_table_name
    ORDER BY r.referenced_table_name SEPARATOR ', ')
FROM information_schema.referential_constraints AS r
WHERE r.constraint_schema = COALESCE(%s, DATABASE()) AND r.table_name = %s
    AND (r.delete_rule IN ('CASCADE', 'SET NULL')
        OR r.update_rule IN ('CASCADE', 'SET NULL'))
HAVING COUNT(*) > 0;

-- cascades: the columns by which foreign keys delete rows of the table NAME in
-- SCHEMA (or NULL), and the table of the parents. That fires no trigger
SELECT k.column_name, k.referenced_table_name
FROM information_schema.referential_constraints AS r
    JOIN information_schema.key_column_usage AS k
        ON k.constraint_schema = r.constraint_schema
        AND k.table_name = r.table_name
        AND k.constraint_name = r.constraint_name
WHERE r.constraint_schema = COALESCE(%s, DATABASE()) AND r.table_name = %s
    AND r.delete_rule = 'CASCADE';
