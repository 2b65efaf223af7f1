-- The triggers of one table of the application. They run with the rights of
-- the user who installed them, and do not use the session's search_path.
--
-- A sequence used in a trigger changes lastval(), with which some applications
-- read the id of the row that they have just inserted. To restore it, a
-- sequence of ours is set to the old value and read. If another session comes
-- in between, that is noticed and repeated.
--
-- A column may have been dropped, renamed or given another type since the
-- triggers were made. Each first checks whether its rows still have the
-- columns that it knows, in the block that catches the error of lastval(), so
-- that this costs no subtransaction of its own. If not, the message only names
-- the record, and the row is read when the message is sent.
--
-- Where there are columns of the application, variables are named with their
-- block, as a table may have a column "moment".
--
-- A trigger of the application may change the same rows again before the
-- statement around it ends. That nested statement is captured first, and
-- leaves a note for the rest of the transaction. After such a note, the row is
-- captured as it stands in the table, and a new record becomes an update: a
-- create would be taken for another record than the one that the nested
-- statement changed. New records of nested statements become updates, too:
-- they may have put back what the statement around them deletes.

-- place: where the functions are made, and what money is counted in
SELECT coalesce((SELECT n.nspname FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass('outbound_messages')), current_schema()),
    current_setting('lc_monetary');

-- partitions: the partitions of TABLE, and theirs
WITH RECURSIVE tables (oid) AS (
    SELECT CAST(to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid)
    UNION ALL
    SELECT i.inhrelid FROM tables JOIN pg_inherits AS i ON i.inhparent = oid
        JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE c.relispartition
)
SELECT CAST(oid AS regclass) FROM tables OFFSET 1;

-- state: the triggers that are on TABLE and on its partitions, what they do,
-- whether it is a partition, and their number within the table, from 1 on; a
-- partition without triggers is listed, too
WITH RECURSIVE tables (oid, partition) AS (
    SELECT CAST(to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s)) AS oid), 0
    UNION ALL
    SELECT i.inhrelid, 1
    FROM tables JOIN pg_inherits AS i ON i.inhparent = oid
        JOIN pg_class AS c ON c.oid = i.inhrelid
    WHERE c.relispartition
)
SELECT t.tgname, CASE WHEN t.tgenabled IN ('D', 'R') THEN '' ELSE t.prosrc END,
    tables.partition, row_number() OVER (PARTITION BY tables.oid)
FROM tables
    LEFT JOIN LATERAL (
        SELECT g.tgname, g.tgenabled, p.prosrc
        FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
            JOIN pg_class AS o ON o.oid = to_regclass('outbound_messages')
                AND o.relnamespace = p.pronamespace
        WHERE g.tgrelid = tables.oid AND NOT g.tgisinternal
            AND g.tgname LIKE 'communicator\_%%'
        OFFSET 0) AS t ON true
WHERE tables.partition = 1 OR t.tgname IS NOT NULL;

-- count: how many triggers of ours are on TABLE and enabled
SELECT count(*) FROM pg_trigger
WHERE tgrelid = to_regclass(
        coalesce(quote_ident(%s) || '.', '') || quote_ident(%s))
    AND NOT tgisinternal AND tgenabled NOT IN ('D', 'R')
    AND tgname LIKE 'communicator\_%%';

-- prepare: what all tables share. Whoever calls lastval() needs the right to
-- see the sequence. communicator_key() gives SQL of the key, as text, of rows
-- of RELATION (the column of that NAME, or the primary key, or NULL),
-- communicator_keys() of a key of columns with NAMES, and
-- communicator_present() a condition that a row with this key exists.
-- communicator_nested() leaves a note for the statements around this one.
CREATE SEQUENCE IF NOT EXISTS {place}.communicator_lastval
    MINVALUE -9223372036854775808
;;
GRANT SELECT ON SEQUENCE {place}.communicator_lastval TO PUBLIC
;;
CREATE OR REPLACE FUNCTION {place}.communicator_key(relation oid, name text,
    alias text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $communicator$
SELECT coalesce((
    SELECT CASE WHEN a.atttypid = 'inet'::regtype THEN 'concat(' ELSE '(' END
        || alias || '.' || quote_ident(a.attname) || ')::text'
    FROM pg_attribute AS a
        LEFT JOIN pg_index AS i ON i.indrelid = a.attrelid AND i.indisprimary
            AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum
    WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped
        AND (a.attname = name OR i.indrelid IS NOT NULL)
    ORDER BY a.attname = name DESC
    LIMIT 1), 'NULL')
$communicator$
;;
CREATE OR REPLACE FUNCTION {place}.communicator_keys(relation oid,
    names text[], alias text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $communicator$
SELECT CASE WHEN count(*) = 1 THEN min(k.sql)
    WHEN bool_or(k.sql = 'NULL') THEN 'NULL'
    ELSE '(''['' || ' || string_agg('to_json(' || k.sql || ')::text',
        ' || '','' || ' ORDER BY k.place) || ' || '']'')' END
FROM (SELECT n.place, {place}.communicator_key(relation, n.name, alias) AS sql
    FROM unnest(names) WITH ORDINALITY AS n (name, place)) AS k
$communicator$
;;
CREATE OR REPLACE FUNCTION {place}.communicator_present(relation oid,
    names text[], alias text) RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp AS $communicator$
SELECT format('(%1$s IS NULL OR EXISTS (SELECT FROM %2$s AS p'
    ' WHERE %3$s = %1$s))', {place}.communicator_keys(relation, names, alias),
    relation::regclass, {place}.communicator_keys(relation, names, 'p'))
$communicator$
;;
CREATE OR REPLACE FUNCTION {place}.communicator_nested(model text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp AS $communicator$
DECLARE
    noted text := concat(current_setting('communicator.nested', true));
BEGIN
    FOR depth IN 1 .. pg_trigger_depth() - 1 LOOP
        CONTINUE WHEN strpos(noted, concat(' ', model, '/', depth, ';')) > 0;
        noted := concat(noted, ' ', model, '/', depth, ';');
        PERFORM set_config('communicator.nested', noted, true);
    END LOOP;
END
$communicator$
;;

-- each.head: how the function of each trigger begins. Names with a dot stand for
-- these sections.
RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER {settings} AS $communicator$
/* {mark} */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;

-- each.note: leaves the note of a nested statement
IF pg_trigger_depth() > 1 THEN
        PERFORM {place}.communicator_nested({model});
    END IF;

-- each.check: in the block that looks whether the rows still have the columns
-- that the trigger knows; then, where they have not
IF NOT FOUND THEN
            RETURN NULL;
        END IF;
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    IF same IS NOT TRUE THEN
        BEGIN
            last := lastval();
        EXCEPTION WHEN OTHERS THEN
            last := NULL;
        END;

-- each.end: restores lastval()
WHILE last IS NOT NULL LOOP
        moment := setval({lastval}, last, false);
        EXIT WHEN nextval({lastval}) = last;
    END LOOP;
    RETURN NULL;
END
$communicator$;

-- each.when: while messages are applied, only nested statements are captured
WHEN (current_setting('communicator.applying', true)
            IS DISTINCT FROM {applying}
        OR pg_trigger_depth() > 0);

-- insert: new records, of a statement at once
CREATE OR REPLACE FUNCTION {place}.{insert}() {each.head};
    same boolean := false;
    nested boolean := {nested};
    word text := CASE WHEN nested OR pg_trigger_depth() > 1 THEN 'update'
        ELSE 'create' END;
BEGIN
    {each.note};
    BEGIN
        SELECT {same} INTO same FROM communicator_rows AS t LIMIT 1;
        {each.check};
        EXECUTE format('INSERT INTO %s'
            ' (model, local_record_id, action, body, clock)'
            ' SELECT $1, %s, $4, $2, $3 FROM communicator_rows AS t'
            ' WHERE %s', {outbox},
            {place}.communicator_keys(TG_RELID, {key_names}, 't'),
            CASE WHEN nested THEN {place}.communicator_present(TG_RELID,
                {key_names}, 't') ELSE 'true' END)
        USING {model}, {unread}, moment, word;
    ELSIF nested THEN
        EXECUTE replace({present_insert}, 'communicator_present',
            TG_RELID::regclass::text)
        USING moment;
    ELSE
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT {model}, {key}, communicator.word,
            {open} || {capture} || '}', communicator.moment
        FROM communicator_rows AS t;
    END IF;
    {each.end}
;;
REVOKE ALL ON FUNCTION {place}.{insert}() FROM PUBLIC
;;

-- insert.present: new records as they stand in the table
INSERT INTO {place}.outbound_messages
    (model, local_record_id, action, body, clock)
SELECT {model}, {key}, 'update', {open} || {capture} || '}', $1
FROM communicator_rows AS r
    JOIN communicator_present AS t ON {t_keys} = {r_keys};

-- insert.trigger: on TABLE
DROP TRIGGER IF EXISTS {insert} ON {table};
CREATE TRIGGER {insert} AFTER INSERT ON {table}
    REFERENCING NEW TABLE AS communicator_rows FOR EACH STATEMENT
    {each.when}
    EXECUTE FUNCTION {place}.{insert}()
;;

-- before: remembers where what an update cascades to begins: behind the last id
-- that was given. It does not read the outbox: a serializable transaction would
-- depend on all others that change synchronised rows.
CREATE OR REPLACE FUNCTION {place}.{before}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $communicator$
/* {mark} */
BEGIN
    PERFORM set_config(
        concat('communicator.before_', TG_RELID, '_', pg_trigger_depth()),
        coalesce(pg_sequence_last_value(pg_get_serial_sequence({outbox}, 'id')),
            0)::text, true);
    RETURN NULL;
END
$communicator$
;;
REVOKE ALL ON FUNCTION {place}.{before}() FROM PUBLIC
;;

-- before.trigger: on TABLE
DROP TRIGGER IF EXISTS {before} ON {table};
CREATE TRIGGER {before} BEFORE UPDATE ON {table} FOR EACH STATEMENT
    {each.when}
    EXECUTE FUNCTION {place}.{before}()
;;

-- update.cascaded: whether a statement nested in this one was captured. If not,
-- the outbox is not read: see "before".
strpos(concat(current_setting('communicator.nested', true)),
                concat('/', pg_trigger_depth(), ';')) > 0

-- update.cascades: what the update of a key has cascaded to was captured before
-- it. References are translated in the order of the messages, so that is put
-- behind it. Rows of this transaction have the same xmin.
WITH cascaded AS (
                DELETE FROM {place}.outbound_messages AS m
                WHERE m.id > nullif(current_setting(
                        concat('communicator.before_', TG_RELID, '_',
                            pg_trigger_depth()), true), '')::bigint
                    AND m.xmin = (SELECT k.xmin
                        FROM {place}.outbound_messages AS k
                        WHERE k.id = lastval())
                    AND (m.former_record_id IS NULL OR m.model <> {model})
                RETURNING m.*
            )
            INSERT INTO {place}.outbound_messages
                (model, former_record_id, local_record_id, action, body,
                    changed_columns, clock)
            SELECT c.model, c.former_record_id, c.local_record_id, c.action,
                c.body, c.changed_columns, c.clock
            FROM cascaded AS c
            ORDER BY c.id

-- update: changed records, of a statement at once. OLD and NEW rows are in the
-- same order. Records whose key changed come last, and stay the same records
-- where {keeps}. Where {continues}, they are new ones that continue the old
-- ones, row by row. Else they are others: all deletes before the creates, as
-- records may have exchanged their keys.
CREATE OR REPLACE FUNCTION {place}.{update}() {each.head};
    same boolean := false;
    nested boolean := {nested} OR {self_cascade};
    there text := 'true';
    rows bigint := (SELECT count(*) FROM communicator_rows AS t);
    written bigint;
BEGIN
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    {each.note};
    BEGIN
        SELECT {same} INTO same FROM communicator_rows AS t LIMIT 1;
        {each.check};
        IF nested THEN
            there := {place}.communicator_present(TG_RELID, {key_names}, 'n');
        END IF;
        EXECUTE format('INSERT INTO %1$s'
            ' (model, local_record_id, action, body, clock)'
            ' SELECT $1, m.key, m.action, m.body, $4 FROM ('
            ' SELECT 1, %3$s, ''update'', $2 FROM {pairs}'
            ' WHERE %2$s IS NOT DISTINCT FROM %3$s AND %4$s'
            ' UNION ALL SELECT 2, %2$s, ''delete'', $3 FROM {pairs}'
            ' WHERE %2$s IS DISTINCT FROM %3$s AND {deletes}'
            ' UNION ALL SELECT 3, %3$s, $5, $2 FROM {pairs}'
            ' WHERE %2$s IS DISTINCT FROM %3$s AND %4$s'
            ') AS m (place, key, action, body) ORDER BY m.place', {outbox},
            {place}.communicator_keys(TG_RELID, {key_names}, 'o'),
            {place}.communicator_keys(TG_RELID, {key_names}, 'n'), there)
        USING {model}, {unread}, {open} || '{}}', moment,
            CASE WHEN nested THEN 'update' ELSE 'create' END;
    ELSIF nested THEN
        EXECUTE replace({present_update}, 'communicator_present',
            TG_RELID::regclass::text)
        USING moment;
    ELSIF rows = 1 THEN
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, changed_columns, clock)
        SELECT {model}, {new_key}, 'update', {open} || {new_capture} || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM communicator_old AS o CROSS JOIN communicator_rows AS n
            CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT ({key_differs});
    ELSE
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, changed_columns, clock)
        SELECT {model}, {new_key}, 'update', {open} || {new_capture} || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM {pairs}
            CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT ({key_differs});
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written = rows OR nested OR same IS NOT TRUE THEN
        NULL;
    ELSIF {keeps} THEN
        INSERT INTO {place}.outbound_messages
            (model, former_record_id, local_record_id, action, body,
                changed_columns, clock)
        SELECT {model}, {old_key}, {new_key}, 'update',
            {open} || {new_capture} || '}', '[' || substr(c.names, 2) || ']',
            communicator.moment
        FROM {pairs}
            CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
        WHERE {key_differs}
        ORDER BY communicator_row;
        IF FOUND AND {marked} AND {update.cascaded} THEN
            {update.cascades};
        END IF;
    ELSIF {continues} THEN
        INSERT INTO {place}.outbound_messages
            (model, former_record_id, local_record_id, action, body, clock)
        SELECT {model}, m.former, m.key, m.action, m.body, communicator.moment
        FROM (SELECT communicator_row, 1, {old_key}, {new_key}, 'create',
                {open} || {new_capture} || '}'
            FROM {pairs} WHERE {key_differs}
            UNION ALL SELECT communicator_row, 2, {new_key}, {old_key}, 'delete',
                {open} || '{}}'
            FROM {pairs} WHERE {key_differs}
        ) AS m (place, part, former, key, action, body)
        ORDER BY m.place, m.part;
    ELSE
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT {model}, {old_key}, 'delete', {open} || '{}}',
            communicator.moment
        FROM {pairs}
        WHERE {key_differs} AND {deletes};
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT {model}, {new_key}, 'create', {open} || {new_capture} || '}',
            communicator.moment
        FROM {pairs}
        WHERE {key_differs};
    END IF;
    {each.end}
;;
REVOKE ALL ON FUNCTION {place}.{update}() FROM PUBLIC
;;

-- update.present: changed records as they stand in the table. What the nested
-- statement deleted, or put back under the old key, was captured before.
WITH pairs AS NOT MATERIALIZED (
    SELECT {old_key} AS old_key, {new_key} AS new_key,
        {key_differs} AS differs, c.names,
        {o_keys} = {r_keys} AS same_key,
        EXISTS (SELECT FROM communicator_present AS p
            WHERE {p_keys} = {o_keys})
        AND NOT EXISTS (SELECT FROM communicator_rows AS p
            WHERE {p_keys} = {o_keys}) AS put_back,
        {open} || {new_capture} || '}' AS body
    FROM (SELECT row_number() OVER () AS communicator_row, *
            FROM communicator_old) AS o
        JOIN (SELECT row_number() OVER () AS communicator_row, {key_columns}
            FROM communicator_rows) AS r USING (communicator_row)
        LEFT JOIN communicator_present AS n
            ON {n_keys} = {r_keys}
        CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
)
INSERT INTO {place}.outbound_messages
    (model, local_record_id, action, body, changed_columns, clock)
SELECT {model}, m.key, m.action, m.body, m.changed, $1 FROM (
    SELECT 1, new_key, 'update', body, '[' || substr(names, 2) || ']'
        FROM pairs WHERE names <> '' AND NOT differs
    UNION ALL SELECT 2, old_key, 'delete', {open} || '{}}', NULL
        FROM pairs
        WHERE differs AND {deletes} AND NOT put_back
            AND NOT (same_key AND new_key IS NULL)
    UNION ALL SELECT 3, new_key, 'update', body, NULL
        FROM pairs WHERE differs AND new_key IS NOT NULL
) AS m (place, key, action, body, changed)
ORDER BY m.place;

-- update.trigger: on TABLE
DROP TRIGGER IF EXISTS {update} ON {table};
CREATE TRIGGER {update} AFTER UPDATE ON {table}
    REFERENCING OLD TABLE AS communicator_old NEW TABLE AS communicator_rows
    FOR EACH STATEMENT
    {each.when}
    EXECUTE FUNCTION {place}.{update}()
;;

-- delete: deleted records, of a statement at once
CREATE OR REPLACE FUNCTION {place}.{delete}() {each.head};
    same boolean := false;
    nested boolean := {nested};
BEGIN
    {each.note};
    BEGIN
        SELECT {same_key} INTO same FROM {old_rows} AS t LIMIT 1;
        {each.check};
        EXECUTE format('INSERT INTO %s'
            ' (model, local_record_id, action, body, clock)'
            ' SELECT $1, %s, ''delete'', $2, $3 FROM {old_rows_given} AS t'
            ' WHERE %s',
            {outbox}, {place}.communicator_keys(TG_RELID, {key_names}, 't'),
            CASE WHEN nested THEN format('%s IS NULL OR NOT %s',
                {place}.communicator_keys(TG_RELID, {key_names}, 't'),
                {place}.communicator_present(TG_RELID, {key_names}, 't'))
            ELSE 'true' END)
        USING {model}, {open} || '{}}', moment{old_given};
    ELSIF nested THEN
        EXECUTE replace({present_delete}, 'communicator_present',
            TG_RELID::regclass::text)
        USING {model}, {open} || '{}}', moment{old_given};
    ELSE
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT {model}, {key}, 'delete', {open} || '{}}',
            communicator.moment
        FROM {old_rows} AS t;
    END IF;
    {each.end}
;;
REVOKE ALL ON FUNCTION {place}.{delete}() FROM PUBLIC
;;

-- delete.present: deleted records that no nested statement has put back
INSERT INTO {place}.outbound_messages
    (model, local_record_id, action, body, clock)
SELECT $1, {key}, 'delete', $2, $3 FROM {old_rows_given} AS t
WHERE NOT EXISTS (SELECT FROM communicator_present AS p
    WHERE {p_keys} = {t_keys});

-- delete.trigger: on TABLE
DROP TRIGGER IF EXISTS {delete} ON {table};
CREATE TRIGGER {delete} AFTER DELETE ON {table} {each_old}
    {each.when}
    EXECUTE FUNCTION {place}.{delete}()
;;

-- truncate: all records deleted at once. In a partitioned table the trigger of
-- each partition captures that partition's.
CREATE OR REPLACE FUNCTION {place}.{truncate}() {each.head};
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    EXECUTE format('INSERT INTO %s'
        ' (model, local_record_id, action, body, clock)'
        ' SELECT $1, %s, ''delete'', $2, $3 FROM ONLY %s AS t', {outbox},
        {place}.communicator_keys(TG_RELID, {key_names}, 't'),
        TG_RELID::regclass)
    USING {model}, {open} || '{}}', moment;
    {each.end}
;;
REVOKE ALL ON FUNCTION {place}.{truncate}() FROM PUBLIC
;;

-- truncate.trigger: on TABLE
DROP TRIGGER IF EXISTS {truncate} ON {table};
CREATE TRIGGER {truncate} BEFORE TRUNCATE ON {table} FOR EACH STATEMENT
    {each.when}
    EXECUTE FUNCTION {place}.{truncate}()
;;

-- no-delete.trigger: with deletes=no
DROP TRIGGER IF EXISTS {delete} ON {table};
DROP TRIGGER IF EXISTS {truncate} ON {table};
