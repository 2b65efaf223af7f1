-- The triggers of one table of the application. They run with the rights of
-- who installed them, with the sql_mode and character set of that session,
-- and leave LAST_INSERT_ID() as it was. UTC_TIMESTAMP() does not depend on
-- the session's time zone. The mark is no comment: clients drop comments when
-- they restore a dump.

-- place: the database that Communicator's tables are in
SELECT DATABASE();

-- state: the triggers that are on TABLE, and what they do
SELECT trigger_name, action_statement
FROM information_schema.triggers
WHERE event_object_schema = COALESCE(%s, DATABASE())
    AND event_object_table = %s AND trigger_name LIKE 'communicator\_%%';

-- count: how many triggers of ours are on TABLE
SELECT count(*) FROM information_schema.triggers
WHERE event_object_schema = COALESCE(%s, DATABASE())
    AND event_object_table = %s AND trigger_name LIKE 'communicator\_%%';

-- insert: new records
CREATE OR REPLACE TRIGGER {schema}{insert} AFTER INSERT ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ({model}, {new_key}, 'create',
            CONCAT({open}, {new_capture}, '}'), TIMESTAMPDIFF(MICROSECOND,
                '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END
;;

-- update: changed records
CREATE OR REPLACE TRIGGER {schema}{update} AFTER UPDATE ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
    BEGIN
        DECLARE moved BOOLEAN DEFAULT {key_differs};
        DECLARE names LONGTEXT CHARACTER SET utf8mb4 DEFAULT {changed};
        DECLARE moment BIGINT DEFAULT
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
        IF moved AND {deletes} THEN
            INSERT INTO {place}.outbound_messages
                (model, local_record_id, action, body, clock)
            VALUES ({model}, {old_key}, 'delete', CONCAT({open}, '{}}'),
                moment);
        END IF;
        IF moved OR names <> '' THEN
            INSERT INTO {place}.outbound_messages
                (model, local_record_id, action, body, changed, clock)
            VALUES ({model}, {new_key}, IF(moved, 'create', 'update'),
                CONCAT({open}, {new_capture}, '}'),
                IF(moved, NULL, CONCAT('[', SUBSTR(names, 2), ']')), moment);
        END IF;
    END;
    END IF;
END
;;

-- delete: deleted records
CREATE OR REPLACE TRIGGER {schema}{delete} AFTER DELETE ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ({model}, {old_key}, 'delete', CONCAT({open}, '{}}'),
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END
;;

-- no-delete: with deletes=no
DROP TRIGGER IF EXISTS {schema}{delete};
