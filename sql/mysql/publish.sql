-- What lib/outbox/selection.c needs of this database. The record is "t".

-- count: how many records there are
SELECT COUNT(*) FROM {table} AS t WHERE {condition};

-- bound: the key of the last record of the next chunk
SELECT {bounds} FROM {table} AS t WHERE {condition}
ORDER BY {keys} LIMIT 1 OFFSET {offset};

-- sizes: the keys of the next records, and how large these are
SELECT {bounds}, {size} FROM {table} AS t WHERE {condition}
ORDER BY {keys} LIMIT {limit};

-- states: the state of the records. Each stays locked, so that a change in
-- progress is in this state or gets a later number.
SELECT {key_text}, COALESCE(CONCAT({begin}, {capture}, '}'), CONCAT({begin}, 'true}'))
FROM {table} AS t WHERE {condition}
ORDER BY {keys} FOR UPDATE;

-- enqueue: the state of the records as messages. Each record stays locked, so
-- that a change in progress is in this message or in a later one. All are
-- locked before the first id is taken: ids follow the order of commits, and no
-- id is held while waiting for a lock.
INSERT INTO outbound_messages (model, local_record_id, action, body,
    changed_columns, clock)
SELECT SQL_BUFFER_RESULT {model}, {key_text}, 'update',
    COALESCE(CONCAT({begin}, {capture}, '}'), CONCAT({begin}, 'true}')),
    {changed}, 0
FROM {table} AS t WHERE {condition}
ORDER BY {keys} FOR UPDATE;
