-- The triggers of one table of the application. They run with the rights of
-- the user who installed them, with the sql_mode and character set of that
-- session, and do not change LAST_INSERT_ID(). UTC_TIMESTAMP() does not depend
-- on the session's time zone. The mark is not a comment because clients drop
-- comments when they restore a dump.
--
-- A row that cannot be captured (a column was dropped or renamed, or it is
-- larger than max_allowed_packet) is read when the message is sent, which only
-- names the record. Thanks to the handlers no statement of the application
-- fails. If even the key cannot be read, the message cannot be sent, and says
-- so.
--
-- MySQL has no CREATE OR REPLACE TRIGGER: there the table is locked meanwhile,
-- so that no change escapes. MariaDB reads what is in /*M! */ and ignores
-- /*!80017 */.

-- place: the database that Communicator's tables are in
SELECT DATABASE();

-- state: the triggers that are on TABLE, and what they do: nothing, if the user
-- whose rights they have is not here. (Who may not see other users sees only
-- the own one.)
SELECT trigger_name, CASE WHEN definer = CURRENT_USER()
        OR CONCAT('''', INSERT(definer, CHAR_LENGTH(definer)
            - LOCATE('@', REVERSE(definer)) + 1, 1, '''@'''), '''')
            IN (SELECT grantee FROM information_schema.user_privileges)
        OR 1 >= (SELECT count(DISTINCT grantee)
            FROM information_schema.user_privileges)
        THEN action_statement ELSE '' END, 0
FROM information_schema.triggers
WHERE event_object_schema = COALESCE(%s, DATABASE())
    AND event_object_table = %s AND trigger_name LIKE 'communicator\_%%'
    AND INSTR(action_statement,
        CONCAT('`', DATABASE(), '`.outbound_messages')) > 0;

-- count: how many triggers of ours are on TABLE, and can run
SELECT count(*) FROM information_schema.triggers
WHERE event_object_schema = COALESCE(%s, DATABASE())
    AND event_object_table = %s AND trigger_name LIKE 'communicator\_%%'
    AND (definer = CURRENT_USER()
        OR CONCAT('''', INSERT(definer, CHAR_LENGTH(definer)
            - LOCATE('@', REVERSE(definer)) + 1, 1, '''@'''), '''')
            IN (SELECT grantee FROM information_schema.user_privileges)
        OR 1 >= (SELECT count(DISTINCT grantee)
            FROM information_schema.user_privileges));

-- nulled: the tables ("table_key" of schema.sql) of which foreign keys forget a
-- key that changes. No trigger sees the rows in which they do.
SELECT DISTINCT IF(@@lower_case_table_names, LOWER(full), full)
FROM (SELECT CONCAT(unique_constraint_schema, '.', referenced_table_name)
        AS full
    FROM information_schema.referential_constraints
    WHERE update_rule LIKE 'SET %%') AS named;

-- insert: new records
/*M! DO 0 */ /*!80017 LOCK TABLES {table} WRITE */
;;
/*M! DO 0 */ /*!80017 DROP TRIGGER IF EXISTS {schema}{insert} */
;;
CREATE /*M! OR REPLACE */ TRIGGER {schema}{insert}
AFTER INSERT ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION
        BEGIN
            DECLARE EXIT HANDLER FOR 1054
                INSERT INTO {place}.outbound_messages
                    (model, action, body, clock)
                VALUES ({model}, 'create', {unread},
                    TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
                        UTC_TIMESTAMP(6)));
            INSERT INTO {place}.outbound_messages
                (model, local_record_id, action, body, clock)
            VALUES ({model}, {new_key}, 'create', {unread},
                TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
        END;
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ({model}, {new_key}, 'create',
            COALESCE(CONCAT({open}, {new_capture}, '}'), {unread}),
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    END;
    END IF;
END
;;
/*M! DO 0 */ /*!80017 UNLOCK TABLES */
;;

-- update: changed records. A record whose key changes stays the same record
-- where {keeps}; where {continues} it is a new one that continues the old one;
-- else it is another one.
/*M! DO 0 */ /*!80017 LOCK TABLES {table} WRITE */
;;
/*M! DO 0 */ /*!80017 DROP TRIGGER IF EXISTS {schema}{update} */
;;
CREATE /*M! OR REPLACE */ TRIGGER {schema}{update}
AFTER UPDATE ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
    BEGIN
        DECLARE EXIT HANDLER FOR SQLEXCEPTION
        BEGIN
            DECLARE EXIT HANDLER FOR 1054
                INSERT INTO {place}.outbound_messages
                    (model, action, body, clock)
                VALUES ({model}, 'update', {unread},
                    TIMESTAMPDIFF(MICROSECOND, '1970-01-01',
                        UTC_TIMESTAMP(6)));
            IF {key_differs} AND {deletes} AND NOT {keeps} THEN
                INSERT INTO {place}.outbound_messages
                    (model, local_record_id, action, body, clock)
                VALUES ({model}, {old_key}, 'delete', CONCAT({open}, '{}}'),
                    TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
            END IF;
            INSERT INTO {place}.outbound_messages
                (model, former_record_id, local_record_id, action, body, clock)
            VALUES ({model}, IF({key_differs} AND {keeps}, {old_key}, NULL),
                {new_key},
                IF({key_differs} AND NOT {keeps}, 'create', 'update'), {unread},
                TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
        END;
        BEGIN
            DECLARE former VARCHAR(255) CHARACTER SET utf8mb4 DEFAULT
                IF({key_differs} AND ({keeps} OR {continues}), {old_key}, NULL);
            DECLARE moved BOOLEAN DEFAULT {key_differs} AND NOT {keeps};
            DECLARE names LONGTEXT CHARACTER SET utf8mb4 DEFAULT {changed};
            DECLARE moment BIGINT DEFAULT
                TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
            IF moved AND {deletes} AND NOT {continues} THEN
                INSERT INTO {place}.outbound_messages
                    (model, local_record_id, action, body, clock)
                VALUES ({model}, {old_key}, 'delete', CONCAT({open}, '{}}'),
                    moment);
            END IF;
            IF moved OR former IS NOT NULL OR names <> '' THEN
                INSERT INTO {place}.outbound_messages
                    (model, former_record_id, local_record_id, action, body,
                        changed_columns, clock)
                VALUES ({model}, former, {new_key},
                    IF(moved, 'create', 'update'),
                    COALESCE(CONCAT({open}, {new_capture}, '}'), {unread}),
                    IF(moved, NULL, CONCAT('[', SUBSTR(names, 2), ']')),
                    moment);
            END IF;
            IF moved AND {continues} THEN
                INSERT INTO {place}.outbound_messages
                    (model, former_record_id, local_record_id, action, body,
                        clock)
                VALUES ({model}, {new_key}, {old_key}, 'delete',
                    CONCAT({open}, '{}}'), moment);
            END IF;
        END;
    END;
    END IF;
END
;;
/*M! DO 0 */ /*!80017 UNLOCK TABLES */
;;

-- delete: deleted records
/*M! DO 0 */ /*!80017 LOCK TABLES {table} WRITE */
;;
/*M! DO 0 */ /*!80017 DROP TRIGGER IF EXISTS {schema}{delete} */
;;
CREATE /*M! OR REPLACE */ TRIGGER {schema}{delete}
AFTER DELETE ON {table} FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT '{mark}';
    IF NOT (BINARY @communicator_applying <=> BINARY {applying}) THEN
    BEGIN
        DECLARE EXIT HANDLER FOR 1054
            INSERT INTO {place}.outbound_messages (model, action, body, clock)
            VALUES ({model}, 'delete', CONCAT({open}, '{}}'),
                TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
        INSERT INTO {place}.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ({model}, {old_key}, 'delete', CONCAT({open}, '{}}'),
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    END;
    END IF;
END
;;
/*M! DO 0 */ /*!80017 UNLOCK TABLES */
;;

-- no-delete: with deletes=no
DROP TRIGGER IF EXISTS {schema}{delete};
