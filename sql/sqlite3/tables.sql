-- All tables of the application's database, for lib/schema/catalog.c. Every
-- database gives the same columns. A schema is NULL where a table is found
-- without one.

-- tables: schema, name, kind, and what makes it of that kind. A virtual table
-- keeps its data in tables whose names begin with its own.
SELECT NULL, m.name,
    CASE WHEN m.sql LIKE 'create virtual%%' THEN 'virtual table'
        WHEN v.name IS NOT NULL THEN 'shadow' ELSE m.type END,
    v.name
FROM sqlite_master AS m
    LEFT JOIN sqlite_master AS v ON v.sql LIKE 'create virtual%%'
        AND m.type = 'table' AND substr(m.name, 1, length(v.name) + 1)
            = v.name || '_' COLLATE NOCASE
WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'sqlite\_%%' ESCAPE '\'
GROUP BY m.name;

-- columns: schema, table, column, its type without length, whether it is
-- nullable, is 0 by default, gets a value from the database, and only from there
SELECT NULL, m.name, x.name, x.type, x.type,
    CASE WHEN x."notnull" OR x.pk THEN 0 ELSE 1 END,
    CASE WHEN x.dflt_value IN ('0', '''0''') THEN 1 ELSE 0 END,
    CASE WHEN x.dflt_value IS NOT NULL OR (x.pk = 1
            AND upper(x.type) = 'INTEGER'
            AND NOT EXISTS (SELECT 1 FROM pragma_index_list(m.name)
                WHERE origin = 'pk')) THEN 1 ELSE 0 END,
    CASE WHEN x.hidden = 0 THEN 0 ELSE 1 END
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x
WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%%'
    AND m.name NOT LIKE 'sqlite\_%%' ESCAPE '\'
ORDER BY m.name, x.cid;

-- unique: schema, table, unique index, whether it is the primary key, and its
-- columns in their order (NULL: an expression)
SELECT NULL, m.name AS table_name, '' AS index_name, 1 AS is_primary,
    x.name AS column_name, x.pk AS place
FROM sqlite_master AS m JOIN pragma_table_xinfo(m.name) AS x
WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%%' AND x.pk
UNION ALL
SELECT NULL, m.name, l.name, 0, i.name, i.seqno
FROM sqlite_master AS m JOIN pragma_index_list(m.name) AS l
    JOIN pragma_index_info(l.name) AS i
WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%%'
    AND l."unique" AND NOT l.partial AND l.origin <> 'pk'
ORDER BY table_name, index_name, place;

-- foreign: schema, table, foreign key, and its columns in their order, each
-- with the table's schema, the table and the column that it refers to (NULL:
-- its primary key), and whether the key refuses that this row is deleted
SELECT NULL, m.name, f.id, f."from", NULL, f."table", f."to",
    f.on_delete IN ('RESTRICT', 'NO ACTION')
FROM sqlite_master AS m JOIN pragma_foreign_key_list(m.name) AS f
WHERE m.type = 'table' AND m.sql NOT LIKE 'create virtual%%'
ORDER BY m.name, f.id, f.seq;

-- hazards: schema, table, what it has that needs care, its name, and its text:
-- a trigger of the application
SELECT NULL, m.tbl_name, 'trigger', m.name, m.sql
FROM sqlite_master AS m
WHERE m.type = 'trigger' AND m.name NOT LIKE 'communicator\_%%' ESCAPE '\'
ORDER BY m.tbl_name, m.name;
