-- The triggers of one table of the application. What they insert does not
-- change last_insert_rowid(). The defaults of created_at and updated_at, which
-- have a fraction of a second, would cost a fifth of the time: the clock has
-- the fraction already.

-- place: there is only one
SELECT 'main';

-- state: the triggers that are on TABLE, and what they do
SELECT name, sql, 0 FROM (SELECT %s AS schema, %s AS given)
    JOIN sqlite_master ON tbl_name = given COLLATE NOCASE
WHERE type = 'trigger' AND substr(name, 1, 13) = 'communicator_';

-- count: how many triggers of ours are on TABLE
SELECT count(*) FROM (SELECT %s AS schema, %s AS given)
    JOIN sqlite_master ON tbl_name = given COLLATE NOCASE
WHERE type = 'trigger' AND substr(name, 1, 13) = 'communicator_';

-- A trigger of the application that was created later runs earlier, and may
-- have changed the same row. So the row is captured as it stands in the table
-- by now: the last message has the final state.

-- insert: new records
DROP TRIGGER IF EXISTS {insert}
;;
CREATE TRIGGER {insert} AFTER INSERT ON {table}
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying WHERE name = {applying})
BEGIN /* {mark} */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ({model}, {new_key}, 'create', {open} || {row_capture} || '}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END
;;

-- before: the cascades of a key that changes are captured before the update.
-- So a row is written before them, which the update completes. If it does not
-- come to that (OR IGNORE), the row says that nothing changed.
DROP TRIGGER IF EXISTS {before}
;;
CREATE TRIGGER {before} BEFORE UPDATE ON {table}
WHEN {key_differs} AND {marked}
    AND NOT EXISTS (SELECT 1 FROM communicator_applying
        WHERE name = {applying})
BEGIN /* {mark} */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, changed_columns, clock,
            created_at, updated_at)
    VALUES ({model}, {old_key}, 'update', {unread}, '[]',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END
;;

-- update: changed records. A record whose key changes stays the same record
-- where {keeps}; where {continues} it is a new one that continues the old one;
-- else it is another one. Statements that could do nothing are left out: even so
-- they would cost a sixth of the trigger.
DROP TRIGGER IF EXISTS {update}
;;
CREATE TRIGGER {update} AFTER UPDATE ON {table}
WHEN ({key_differs} OR {any_differs})
    AND NOT EXISTS (SELECT 1 FROM communicator_applying
        WHERE name = {applying})
BEGIN /* {mark} */
    {deleted}
    {completed}
    INSERT INTO outbound_messages
        (model, former_record_id, local_record_id, action, body,
            changed_columns, clock, created_at, updated_at)
    SELECT {model},
        CASE WHEN {key_differs} AND ({keeps} OR {continues}) THEN {old_key} END,
        {new_key},
        CASE WHEN {key_differs} AND NOT {keeps} THEN 'create' ELSE 'update' END,
        {open} || {row_capture} || '}',
        CASE WHEN {keeps} OR NOT {key_differs}
            THEN '[' || substr({changed}, 2) || ']' END,
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP
    WHERE NOT {key_differs}
        OR NOT ({marked} OR {keeps} AND NOT {here});
    {continued}
END
;;

-- update.deleted: deletes=yes, where no new record continues the old one
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    SELECT {model}, {old_key}, 'delete', {open} || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP
    WHERE {key_differs} AND NOT ({keeps} AND {here});

-- update.completed: completes the row that was written before the update
    UPDATE outbound_messages
    SET former_record_id = {old_key}, local_record_id = {new_key},
        body = {open} || {row_capture} || '}',
        changed_columns = '[' || substr({changed}, 2) || ']'
    WHERE {key_differs} AND {here}
        AND id = (SELECT id FROM outbound_messages
            WHERE seq IS NULL AND model = {model}
                AND local_record_id = {old_key} AND body = {unread}
            ORDER BY id DESC LIMIT 1);

-- update.continued: where a new record continues the old one, that is deleted
    INSERT INTO outbound_messages
        (model, former_record_id, local_record_id, action, body, clock,
            created_at, updated_at)
    SELECT {model}, {new_key}, {old_key}, 'delete', {open} || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP
    WHERE {key_differs};

-- delete: deleted records. When a message deletes a record, those that a
-- foreign key within the table deletes with it are captured as deleted here.
DROP TRIGGER IF EXISTS {delete}
;;
CREATE TRIGGER {delete} AFTER DELETE ON {table}
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying
    WHERE name IN ({applying}, {applying} || char(31) || {old_key}))
BEGIN /* {mark} */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ({model}, {old_key}, 'delete', {open} || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END
;;

-- no-delete: with deletes=no
DROP TRIGGER IF EXISTS {delete};
