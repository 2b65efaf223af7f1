-- What lib/schema/sequence.c needs. Other databases give the next key behind
-- the highest one by themselves.

-- list: the sequences that number columns of the table NAME in SCHEMA (or
-- NULL), because the column owns them or its default is their next number: the
-- column, the sequence, its number in the catalog, how this user may use it,
-- and whether an index finds the highest number of the column
SELECT a.attname, CAST(CAST(s.seqrelid AS regclass) AS text),
    CAST(s.seqrelid AS text),
    CASE WHEN has_sequence_privilege(s.seqrelid, 'UPDATE') THEN 1 ELSE 0 END,
    CASE WHEN has_sequence_privilege(s.seqrelid, 'SELECT') THEN 1 ELSE 0 END,
    CASE WHEN EXISTS (SELECT 1 FROM pg_index AS i
        WHERE i.indrelid = a.attrelid AND i.indkey[0] = a.attnum
            AND i.indisvalid AND i.indpred IS NULL) THEN 1 ELSE 0 END,
    current_user
FROM pg_attribute AS a
    LEFT JOIN pg_attrdef AS e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
    CROSS JOIN LATERAL (
        SELECT d.objid AS id FROM pg_depend AS d
        WHERE d.classid = CAST('pg_class' AS regclass)
            AND d.refclassid = CAST('pg_class' AS regclass)
            AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
            AND d.deptype IN ('a', 'i')
        UNION
        SELECT d.refobjid FROM pg_depend AS d
        WHERE d.classid = CAST('pg_attrdef' AS regclass) AND d.objid = e.oid
            AND d.refclassid = CAST('pg_class' AS regclass)
            AND pg_get_expr(e.adbin, e.adrelid)
                ~ '^\(?nextval\(''[^'']*(''''[^'']*)*''::regclass\)\)?(::\w+)?$'
    ) AS found
    JOIN pg_sequence AS s ON s.seqrelid = found.id AND s.seqincrement > 0
WHERE a.attrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum, s.seqrelid;

-- next: the last number of {sequence}, the one that it gives next, and the
-- highest number that it can follow
SELECT q.last_value,
    q.last_value + CASE WHEN q.is_called AND q.last_value < s.seqmax
        THEN least(s.seqincrement, s.seqmax - q.last_value) ELSE 0 END,
    s.seqmax - s.seqincrement
FROM {sequence} AS q CROSS JOIN pg_sequence AS s
WHERE s.seqrelid = {id};

-- follow: lets the sequence give only numbers above {number} from now on, in
-- steps of its own. Few steps are taken one by one, which is safe whoever
-- counts at the same time; setval() is for a jump that others cannot make
-- meanwhile, and forgets what this session has in its cache. Gives 1, or 0 if
-- this user may not do that; nothing, if the sequence has no number above.
WITH known AS (
    SELECT s.seqrelid AS id, s.seqincrement AS step,
        s.seqcache AS cache,
        has_sequence_privilege(s.seqrelid, 'UPDATE') AS may_set,
        has_sequence_privilege(s.seqrelid, 'USAGE, UPDATE') AS may_count,
        coalesce(
            CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, SELECT')
                THEN pg_sequence_last_value(s.seqrelid) END,
            CASE WHEN has_sequence_privilege(s.seqrelid, 'USAGE, UPDATE')
                THEN nextval(s.seqrelid) END) AS last
    FROM pg_sequence AS s
    WHERE s.seqrelid = {id} AND s.seqmax - s.seqincrement >= {number}
),
far AS (
    SELECT *, floor((CAST({number} AS numeric) - last) / step) AS steps
    FROM known
)
SELECT CASE WHEN last IS NULL THEN 0
    WHEN steps <= 0 THEN 1
    WHEN steps <= 1000 AND cache = 1 AND may_count
    THEN (SELECT 1 FROM (SELECT max(nextval(far.id) + 0 * g)
        FROM generate_series(1, CAST(far.steps AS integer)) AS g) AS counted)
    WHEN may_set
    THEN CASE WHEN setval(id, CAST(last + steps * step AS bigint)) IS NOT NULL
        THEN 1 END
    ELSE 0 END
FROM far;
