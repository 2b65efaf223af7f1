-- What outbox/publish.c asks of this database. The record is "t".

-- count: how many records there are
SELECT COUNT(*) FROM {table} AS t WHERE {condition};

-- bound: the key of the last record of the next chunk
SELECT t.{key} FROM {table} AS t WHERE {condition}
ORDER BY t.{key} LIMIT 1 OFFSET {offset};

-- enqueue: the state of the records as messages; each stays locked, so that
-- a change on its way is in this message or in a later one. All are locked
-- before the first id is taken: ids follow commits, and who waits for a lock
-- keeps no ids from an application.
INSERT INTO outbound_messages (model, local_record_id, action, body, changed,
    clock)
SELECT SQL_BUFFER_RESULT {model}, {key_text}, 'update',
    COALESCE(CONCAT({begin}, {capture}, '}'), CONCAT({begin}, 'true}')),
    '[]', 0
FROM {table} AS t WHERE {condition}
ORDER BY t.{key} FOR UPDATE;
