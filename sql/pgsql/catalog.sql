-- What the application's tables look like. Every database gives the same
-- columns, see lib/schema/table.c.

-- columns: the columns of the table NAME in SCHEMA (or NULL), in its order. A
-- unique index of a partitioned table must have the partition key, too.
WITH RECURSIVE base (attnum, type, modifier) AS (
    SELECT a.attnum, a.atttypid, a.atttypmod
    FROM pg_attribute AS a
    WHERE a.attrelid = to_regclass(
            coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
        AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT b.attnum, t.typbasetype,
        CASE WHEN t.typtypmod = -1 THEN b.modifier ELSE t.typtypmod END
    FROM base AS b JOIN pg_type AS t ON t.oid = b.type
    WHERE t.typtype = 'd'
)
SELECT a.attname,
    format_type(b.type, -1),
    CASE WHEN n.nspname = 'pg_catalog' THEN t.typname ELSE '' END,
    CASE WHEN t.typname IN ('bpchar', 'varchar') AND b.modifier > 4
        THEN b.modifier - 4 ELSE 0 END,
    0,
    CASE WHEN t.typname = 'numeric' AND b.modifier > 4
        THEN ((b.modifier - 4) >> 16) & 65535
        WHEN t.typname = 'bit' THEN b.modifier ELSE 0 END,
    CASE WHEN t.typname = 'numeric' AND b.modifier > 4
        THEN (((b.modifier - 4) & 2047) # 1024) - 1024
        WHEN t.typname = 'money' THEN scale(0::money::numeric) ELSE -1 END,
    CASE WHEN t.typname IN ('time', 'timestamp', 'timestamptz')
        AND b.modifier >= 0 THEN b.modifier ELSE 6 END,
    CASE WHEN a.attnotnull THEN 0 ELSE 1 END,
    CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END,
    CASE WHEN a.attgenerated <> '' OR a.attidentity = 'a' THEN 1 ELSE 0 END,
    CASE WHEN EXISTS (SELECT 1 FROM pg_index AS i
            LEFT JOIN pg_partitioned_table AS p ON p.partrelid = i.indrelid
        WHERE i.indrelid = a.attrelid AND i.indisunique AND i.indisvalid
            AND i.indpred IS NULL
            AND (SELECT bool_or(k = a.attnum) AND bool_and(k = a.attnum
                    OR coalesce(k = ANY (p.partattrs), false))
                FROM unnest(i.indkey[0:i.indnkeyatts - 1]) AS k))
        THEN 1 ELSE 0 END,
    CASE WHEN a.atthasdef OR a.attidentity <> '' THEN 1 ELSE 0 END,
    CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned'
        WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table' ELSE 'thing of another kind' END,
    0,
    0,
    -- tgtype: 4 is INSERT, 16 UPDATE
    CASE WHEN EXISTS (SELECT 1 FROM pg_trigger AS g
        WHERE NOT g.tgisinternal AND g.tgenabled <> 'D'
            AND g.tgtype & 20 <> 0 AND g.tgname NOT LIKE 'communicator\_%%'
            AND (g.tgrelid = c.oid OR g.tgrelid IN
                (SELECT relid FROM pg_partition_tree(c.oid))))
        THEN 1 ELSE 0 END,
    CASE WHEN a.atttypid::bigint < 16384 THEN a.atttypid::text
        ELSE (SELECT quote_ident(dn.nspname) || '.' || quote_ident(d.typname)
            FROM pg_type AS d JOIN pg_namespace AS dn ON dn.oid = d.typnamespace
            WHERE d.oid = a.atttypid) END
FROM base AS b
    JOIN pg_type AS t ON t.oid = b.type AND t.typtype <> 'd'
    JOIN pg_namespace AS n ON n.oid = t.typnamespace
    JOIN pg_attribute AS a ON a.attnum = b.attnum
        AND a.attrelid = to_regclass(
            coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    JOIN pg_class AS c ON c.oid = a.attrelid
ORDER BY a.attnum;

-- names: the names of the columns of the table NAME in SCHEMA (or NULL): has it
-- changed?
SELECT attname
FROM pg_attribute
WHERE attrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND attnum > 0 AND NOT attisdropped;

-- unique: the columns of each unique index of the table NAME in SCHEMA (or
-- NULL): the index, the column (NULL: an expression), and whether the column is
-- of the partition key, which must be in every index
SELECT i.indexrelid::text, a.attname,
    CASE WHEN k = ANY (p.partattrs) THEN 1 ELSE 0 END
FROM pg_index AS i
    LEFT JOIN pg_partitioned_table AS p ON p.partrelid = i.indrelid
    CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) AS k
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k
        AND k > 0
WHERE i.indrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND i.indisunique AND i.indisvalid AND i.indpred IS NULL
ORDER BY i.indexrelid;

-- apart: the columns of the table NAME in SCHEMA (or NULL) in which rows must
-- differ, alone or in several columns, by their values or by expressions of
-- these, and to which no foreign key leads; of its partitions, too
WITH given AS (
    SELECT to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid
),
tables AS (
    SELECT oid FROM given
    UNION
    SELECT relid FROM given, pg_partition_tree(given.oid)
)
SELECT DISTINCT a.attname
FROM pg_index AS i JOIN tables ON tables.oid = i.indrelid
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum > 0
        AND (a.attnum = ANY (i.indkey) OR EXISTS (
            SELECT 1
            FROM pg_depend AS d
            WHERE d.classid = 'pg_class'::regclass AND d.objid = i.indexrelid
                AND d.refclassid = 'pg_class'::regclass
                AND d.refobjid = i.indrelid AND d.refobjsubid = a.attnum))
WHERE (i.indisunique OR i.indisexclusion) AND NOT EXISTS (
    SELECT 1
    FROM pg_constraint AS c
    WHERE c.contype = 'f' AND c.confrelid = i.indrelid
        AND a.attnum = ANY (c.confkey));

-- tied: the columns of the table NAME in SCHEMA (or NULL) whose values other
-- rows forbid or need, by a unique index, an exclusion, a foreign key; of its
-- partitions, too. NULL: perhaps any column (an expression, a condition)
WITH given AS (
    SELECT to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid
),
tables AS (
    SELECT oid FROM given
    UNION
    SELECT relid FROM given, pg_partition_tree(given.oid)
)
SELECT CASE WHEN i.indpred IS NULL AND a.attgenerated = '' THEN a.attname END
FROM pg_index AS i JOIN tables ON tables.oid = i.indrelid
    CROSS JOIN unnest(i.indkey[0:i.indnkeyatts - 1]) AS k
    LEFT JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k
        AND k > 0
WHERE i.indisunique OR i.indisexclusion
UNION
SELECT CASE WHEN a.attgenerated = '' THEN a.attname END
FROM pg_constraint AS c JOIN tables ON tables.oid = c.conrelid
    CROSS JOIN unnest(c.conkey) AS k
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = k
WHERE c.contype = 'f';

-- bound: the columns of the table NAME in SCHEMA (or NULL) that a foreign key
-- of their own keeps from holding a key which no row has
SELECT a.attname
FROM pg_constraint AS c
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid
        AND a.attnum = c.conkey[1]
WHERE c.conrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND c.contype = 'f' AND cardinality(c.conkey) = 1;

-- cascades: the columns by which foreign keys delete rows of the table NAME in
-- SCHEMA (or NULL), and the table of the parents
SELECT a.attname, p.relname
FROM pg_constraint AS c
    JOIN pg_class AS p ON p.oid = c.confrelid
    JOIN pg_attribute AS a ON a.attrelid = c.conrelid
        AND a.attnum = ANY (c.conkey)
WHERE c.conrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND c.contype = 'f' AND c.confdeltype = 'c';

-- judge: what is wrong with the table NAME in SCHEMA (or NULL): a crash
-- empties it, or it is written to through other tables
WITH given AS (
    SELECT to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid
)
SELECT 'unlogged', NULL
FROM pg_class AS c JOIN given ON c.oid = given.oid
WHERE c.relpersistence = 'u'
UNION ALL
SELECT CASE WHEN c.relispartition THEN 'partition' ELSE 'child' END,
    string_agg(i.inhparent::regclass::text, ', ' ORDER BY i.inhseqno)
FROM pg_inherits AS i JOIN given ON i.inhrelid = given.oid
    JOIN pg_class AS c ON c.oid = i.inhrelid
GROUP BY c.relispartition
UNION ALL
SELECT 'parent', string_agg(i.inhrelid::regclass::text, ', '
    ORDER BY i.inhrelid)
FROM pg_inherits AS i JOIN given ON i.inhparent = given.oid
    JOIN pg_class AS c ON c.oid = i.inhrelid
WHERE NOT c.relispartition
HAVING count(*) > 0;

-- deferred: the statement that defers again the constraints that are deferred
-- initially. A name that a constraint which cannot be deferred has, too, is
-- left out, because the statement would fail.
SELECT 'SET CONSTRAINTS ' || string_agg(DISTINCT
    quote_ident(n.nspname) || '.' || quote_ident(c.conname), ', ')
    || ' DEFERRED'
FROM pg_constraint AS c JOIN pg_namespace AS n ON n.oid = c.connamespace
WHERE c.condeferred AND NOT EXISTS (SELECT 1 FROM pg_constraint AS o
    WHERE o.connamespace = c.connamespace AND o.conname = c.conname
        AND NOT o.condeferrable);
