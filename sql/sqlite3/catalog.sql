-- What the application's tables look like. Every database gives the same
-- columns, see lib/schema/table.c.

-- columns: the columns of the table NAME in SCHEMA (or NULL), in its order
-- sqlite_master has no index, and is read whole each time: once for the table,
-- once for triggers of the application. In a STRICT table (which the words
-- behind the last parenthesis say) a column of type ANY keeps values as they
-- are, as one without a type does elsewhere.
WITH given AS MATERIALIZED (
    SELECT m.name AS table_name,
        instr(lower(substr(m.sql, length(rtrim(m.sql,
            replace(m.sql, ')', ''))))), 'strict') > 0 AS strict,
        CASE WHEN m.sql LIKE 'create virtual%%' THEN 'virtual table'
            ELSE m.type END AS kind,
        EXISTS (SELECT 1 FROM sqlite_master AS g
            WHERE g.type = 'trigger' AND g.tbl_name = m.name COLLATE NOCASE
                AND g.name NOT LIKE 'communicator\_%%' ESCAPE '\') AS has_own
    FROM (SELECT %s AS schema, %s AS name) AS g
        JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    WHERE coalesce(g.schema, 'main') = 'main' AND m.type IN ('table', 'view')
),
c AS MATERIALIZED (
    SELECT given.*, x.*,
        x.pk = 1 AND NOT EXISTS (SELECT 1
            FROM pragma_table_xinfo(given.table_name)
            WHERE pk = 2) AS is_sole_key,
        x.pk = 1 AND upper(x.type) = 'INTEGER'
            AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(given.table_name)
                WHERE pk = 2)
            AND NOT EXISTS (SELECT 1 FROM pragma_index_list(given.table_name)
                WHERE origin = 'pk') AS is_rowid
    FROM given JOIN pragma_table_xinfo(given.table_name) AS x
)
SELECT c.name, c.type,
    CASE WHEN c.strict AND upper(c.type) = 'ANY' THEN '' ELSE c.type END, 0, 0, 0, -1, 9,
    CASE WHEN c."notnull" OR is_rowid THEN 0 ELSE 1 END,
    CASE WHEN c.dflt_value IS NOT NULL OR is_rowid THEN 1 ELSE 0 END,
    CASE WHEN c.hidden = 0 THEN 0 ELSE 1 END,
    CASE WHEN is_sole_key OR EXISTS (
        SELECT 1
        FROM pragma_index_list(c.table_name) AS l
        WHERE l."unique" AND NOT l.partial
            AND (SELECT count(*) = 1 AND max(i.name) = c.name
                FROM pragma_index_info(l.name) AS i)
    ) THEN 1 ELSE 0 END,
    CASE WHEN is_rowid OR c.dflt_value IS NOT NULL THEN 1 ELSE 0 END,
    c.kind,
    0,
    0,
    c.has_own,
    NULL
FROM c
ORDER BY c.cid;

-- names: the names of the columns of the table NAME in SCHEMA (or NULL): has it
-- changed?
SELECT x.name
FROM (SELECT %s AS schema, %s AS name) AS g
    JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    JOIN pragma_table_xinfo(m.name) AS x
WHERE coalesce(g.schema, 'main') = 'main' AND m.type = 'table';

-- unique: the columns of each unique index of the table NAME in SCHEMA (or
-- NULL): the index, the column (NULL: an expression), and whether the column is
-- of the partition key, which must be in every index
WITH given (name) AS (
    SELECT m.name
    FROM (SELECT %s AS schema, %s AS name) AS g
        JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    WHERE coalesce(g.schema, 'main') = 'main' AND m.type = 'table'
)
SELECT l.name AS index_name, i.name, 0
FROM given JOIN pragma_index_list(given.name) AS l
    JOIN pragma_index_info(l.name) AS i
WHERE l."unique" AND NOT l.partial
UNION ALL
SELECT 'rowid', x.name, 0
FROM given JOIN pragma_table_xinfo(given.name) AS x
WHERE x.pk = 1 AND NOT EXISTS (SELECT 1 FROM pragma_table_xinfo(given.name)
    WHERE pk = 2)
ORDER BY index_name;

-- apart: the columns of the table NAME in SCHEMA (or NULL) in which rows must
-- differ, alone or in several columns, and to which no foreign key leads
WITH given (name) AS (
    SELECT m.name
    FROM (SELECT %s AS schema, %s AS name) AS g
        JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    WHERE coalesce(g.schema, 'main') = 'main' AND m.type = 'table'
)
SELECT DISTINCT i.name
FROM given JOIN pragma_index_list(given.name) AS l
    JOIN pragma_index_info(l.name) AS i
WHERE l."unique" AND i.name IS NOT NULL
    AND NOT EXISTS (
        SELECT 1
        FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
        WHERE m.type = 'table' AND f."table" = given.name COLLATE NOCASE
            AND f."to" = i.name COLLATE NOCASE
    );

-- tied: the columns of the table NAME in SCHEMA (or NULL) whose values other
-- rows forbid or need, by a unique index or a foreign key. NULL: perhaps any
-- column (an expression, a condition)
WITH given (name) AS (
    SELECT m.name
    FROM (SELECT %s AS schema, %s AS name) AS g
        JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    WHERE coalesce(g.schema, 'main') = 'main' AND m.type = 'table'
)
SELECT CASE WHEN NOT l.partial AND x.hidden = 0 THEN x.name END
FROM given JOIN pragma_index_list(given.name) AS l
    JOIN pragma_index_info(l.name) AS i
    LEFT JOIN pragma_table_xinfo(given.name) AS x ON x.cid = i.cid
WHERE l."unique"
UNION
SELECT x.name
FROM given JOIN pragma_table_xinfo(given.name) AS x
WHERE x.pk > 0
UNION
SELECT f."from"
FROM given JOIN pragma_foreign_key_list(given.name) AS f;

-- cascades: the columns by which foreign keys delete rows of the table NAME in
-- SCHEMA (or NULL), and the table of the parents
WITH given (name) AS (
    SELECT m.name
    FROM (SELECT %s AS schema, %s AS name) AS g
        JOIN sqlite_master AS m ON m.name = g.name COLLATE NOCASE
    WHERE coalesce(g.schema, 'main') = 'main' AND m.type = 'table'
)
SELECT f."from", f."table"
FROM given JOIN pragma_foreign_key_list(given.name) AS f
WHERE f.on_delete = 'CASCADE';
