-- The triggers of one table of the application. They run with the rights of
-- who installed them and find nothing by the session's search_path.
--
-- A sequence used in a trigger changes lastval(), by which some applications
-- read the id of the row that they have just inserted. So it is set back: a
-- sequence of ours is set to the old value and asked for it. Should another
-- session come between, that is seen and done again.
--
-- Beside columns of the application variables are named with their block: a
-- table may have a column "moment".

-- place: where the functions are made, and what money is counted in
SELECT coalesce((SELECT n.nspname FROM pg_class AS c
    JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.oid = to_regclass('outbound_messages')), current_schema()),
    current_setting('lc_monetary');

-- state: the triggers that are on TABLE, and what they do
SELECT t.tgname, CASE t.tgenabled WHEN 'D' THEN '' ELSE p.prosrc END
FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
WHERE t.tgrelid = to_regclass(%s) AND NOT t.tgisinternal
    AND t.tgname LIKE 'communicator\_%%';

-- count: how many triggers of ours are on TABLE and enabled
SELECT count(*) FROM pg_trigger
WHERE tgrelid = to_regclass(%s) AND NOT tgisinternal AND tgenabled <> 'D'
    AND tgname LIKE 'communicator\_%%';

-- prepare: what all tables share. Whoever asks for lastval() must be allowed
-- to see the sequence.
CREATE SEQUENCE IF NOT EXISTS {place}.communicator_lastval
    MINVALUE -9223372036854775808;
GRANT SELECT ON SEQUENCE {place}.communicator_lastval TO PUBLIC;

-- insert: new records, of a statement at once
CREATE OR REPLACE FUNCTION {place}.{insert}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER {settings} AS $communicator$
/* {mark} */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO {place}.outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT {model}, {key}, 'create', {open} || {capture} || '}',
        communicator.moment
    FROM {rows} AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval({lastval}, last, false);
        EXIT WHEN nextval({lastval}) = last;
    END LOOP;
    RETURN NULL;
END
$communicator$
;;
REVOKE ALL ON FUNCTION {place}.{insert}() FROM PUBLIC
;;
DROP TRIGGER IF EXISTS {insert} ON {table};
CREATE TRIGGER {insert} AFTER INSERT ON {table} {each_new}
    WHEN (current_setting('communicator.applying', true)
            IS DISTINCT FROM {applying}
        OR pg_trigger_depth() > 0)
    EXECUTE FUNCTION {place}.{insert}()
;;

-- update: changed records, of a statement at once. OLD and NEW rows are in
-- the same order. Records that got another key come last, and all deletes
-- before the creates: keys may have changed places.
CREATE OR REPLACE FUNCTION {place}.{update}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER {settings} AS $communicator$
/* {mark} */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    rows bigint := (SELECT count(*) FROM {rows} AS t);
    written bigint;
BEGIN
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    IF rows = 1 THEN
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT {model}, {new_key}, 'update', {open} || {new_capture} || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM {pair}
            CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT ({key_differs});
    ELSE
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT {model}, {new_key}, 'update', {open} || {new_capture} || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM {pairs}
            CROSS JOIN LATERAL (SELECT {changed} AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT ({key_differs});
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < rows THEN
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
    WHILE last IS NOT NULL LOOP
        moment := setval({lastval}, last, false);
        EXIT WHEN nextval({lastval}) = last;
    END LOOP;
    RETURN NULL;
END
$communicator$
;;
REVOKE ALL ON FUNCTION {place}.{update}() FROM PUBLIC
;;
DROP TRIGGER IF EXISTS {update} ON {table};
CREATE TRIGGER {update} AFTER UPDATE ON {table} {each_pair}
    WHEN (current_setting('communicator.applying', true)
            IS DISTINCT FROM {applying}
        OR pg_trigger_depth() > 0)
    EXECUTE FUNCTION {place}.{update}()
;;

-- delete: deleted records, of a statement at once
CREATE OR REPLACE FUNCTION {place}.{delete}() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER {settings} AS $communicator$
/* {mark} */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO {place}.outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT {model}, {key}, 'delete', {open} || '{}}',
        communicator.moment
    FROM {old_rows} AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval({lastval}, last, false);
        EXIT WHEN nextval({lastval}) = last;
    END LOOP;
    RETURN NULL;
END
$communicator$
;;
REVOKE ALL ON FUNCTION {place}.{delete}() FROM PUBLIC
;;
DROP TRIGGER IF EXISTS {delete} ON {table};
CREATE TRIGGER {delete} AFTER DELETE ON {table} {each_old}
    WHEN (current_setting('communicator.applying', true)
            IS DISTINCT FROM {applying}
        OR pg_trigger_depth() > 0)
    EXECUTE FUNCTION {place}.{delete}()
;;

-- no-delete: with deletes=no
DROP TRIGGER IF EXISTS {delete} ON {table};
