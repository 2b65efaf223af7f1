-- All tables of the application's database, for lib/schema/catalog.c. Every
-- database gives the same columns. A schema is NULL where a table is found
-- without one.

-- tables: schema, name, kind, and what makes it of that kind
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END,
    c.relname,
    CASE WHEN d.refobjid IS NOT NULL THEN 'extension'
        WHEN c.relispartition THEN 'partition'
        WHEN c.relkind IN ('r', 'p') THEN 'table'
        WHEN c.relkind = 'v' THEN 'view'
        WHEN c.relkind = 'm' THEN 'materialized view'
        ELSE 'foreign table' END,
    coalesce(x.extname, p.relname)
FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_class'::regclass
        AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'
    LEFT JOIN pg_extension AS x ON x.oid = d.refobjid
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid AND c.relispartition
    LEFT JOIN pg_class AS p ON p.oid = i.inhparent
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND c.relpersistence <> 't'
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%%';

-- columns: schema, table, column, its type without length, whether it is
-- nullable, is 0 by default, gets a value from the database, and only from there
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END,
    c.relname, a.attname, format_type(t.oid, -1), coalesce(b.typname, t.typname),
    CASE WHEN a.attnotnull THEN 0 ELSE 1 END,
    CASE WHEN pg_get_expr(f.adbin, f.adrelid) ~ '^\(?''?0''?(::[a-z ]+)?\)?$'
        THEN 1 ELSE 0 END,
    CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END,
    CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END
FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_attribute AS a ON a.attrelid = c.oid
        AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = a.atttypid
    LEFT JOIN pg_type AS b ON b.oid = t.typbasetype
    LEFT JOIN pg_attrdef AS f ON f.adrelid = c.oid AND f.adnum = a.attnum
WHERE c.relkind IN ('r', 'p')
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%%'
ORDER BY c.oid, a.attnum;

-- unique: schema, table, unique index, whether it is the primary key, and its
-- columns in their order (NULL: an expression)
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END,
    c.relname, x.relname, CASE WHEN i.indisprimary THEN 1 ELSE 0 END, a.attname
FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indrelid
    JOIN pg_class AS x ON x.oid = i.indexrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1])
        WITH ORDINALITY AS k (number, place)
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
        AND k.number > 0
WHERE c.relkind IN ('r', 'p')
    AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
    AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\_%%'
ORDER BY c.oid, i.indexrelid, k.place;

-- foreign: schema, table, foreign key, and its columns in their order, each
-- with the table's schema, the table and the column that it refers to (NULL:
-- its primary key), and whether the key refuses that this row is deleted
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END,
    c.relname, f.conname, a.attname,
    CASE WHEN pg_table_is_visible(p.oid) THEN NULL ELSE m.nspname END,
    p.relname, b.attname, CASE WHEN f.confdeltype IN ('a', 'r') THEN 1 ELSE 0 END
FROM pg_constraint AS f
    JOIN pg_class AS c ON c.oid = f.conrelid
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_class AS p ON p.oid = f.confrelid
    JOIN pg_namespace AS m ON m.oid = p.relnamespace
    CROSS JOIN unnest(f.conkey, f.confkey)
        WITH ORDINALITY AS k (here, there, place)
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.here
    JOIN pg_attribute AS b ON b.attrelid = p.oid AND b.attnum = k.there
WHERE f.contype = 'f' AND f.conparentid = 0
ORDER BY c.oid, f.oid, k.place;

-- hazards: schema, table, what it has that needs care, its name, and its text:
-- a trigger of the application, row security for this user, a subscription of
-- logical replication that writes into it, a unique constraint that is checked
-- late, numbers that leave room for those of another database
SELECT CASE WHEN pg_table_is_visible(c.oid) THEN NULL ELSE n.nspname END,
    c.relname, h.kind, h.name, h.body
FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN (SELECT t.tgrelid, 'trigger', t.tgname::text, p.prosrc
        FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
        WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'
            AND t.tgname NOT LIKE 'communicator\_%%'
        UNION ALL
        SELECT r.oid, 'row security', current_user::text, NULL
        FROM pg_class AS r
        WHERE r.relrowsecurity AND row_security_active(r.oid)
        UNION ALL
        SELECT s.srrelid, 'subscription', NULL, NULL
        FROM pg_subscription_rel AS s
        UNION ALL
        SELECT k.conrelid, 'deferrable', k.conname::text, NULL
        FROM pg_constraint AS k
        WHERE k.contype IN ('p', 'u') AND k.condeferrable
        UNION ALL
        SELECT d.refobjid, 'increment', a.attname::text, s.seqincrement::text
        FROM pg_depend AS d
            JOIN pg_sequence AS s ON s.seqrelid = d.objid
            JOIN pg_attribute AS a ON a.attrelid = d.refobjid
                AND a.attnum = d.refobjsubid
        WHERE d.classid = 'pg_class'::regclass
            AND d.refclassid = 'pg_class'::regclass
            AND d.deptype IN ('a', 'i') AND s.seqincrement > 1)
        AS h (oid, kind, name, body) ON h.oid = c.oid
WHERE c.relkind IN ('r', 'p')
ORDER BY c.relname, h.kind, h.name;
