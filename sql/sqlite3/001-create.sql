-- Communicator's tables, new or made from those of the Ruby gem.
--
-- Which sections run is decided before the first one: tables of the gem are
-- rebuilt, missing ones are created. One transaction is around all.

-- outbound.origin: adds origin and original_id to outbound_messages
-- when table outbound_messages
-- unless column outbound_messages.origin
ALTER TABLE outbound_messages ADD COLUMN origin varchar(255);
ALTER TABLE outbound_messages ADD COLUMN original_id varchar(255);

-- inbound.origin: adds origin and original_id to inbound_messages
-- when table inbound_messages
-- unless column inbound_messages.origin
ALTER TABLE inbound_messages ADD COLUMN origin varchar(255);
ALTER TABLE inbound_messages ADD COLUMN original_id varchar(255);

-- rename.begin: lets views keep the names of the tables that are rebuilt
-- when table outbound_messages
-- unless column outbound_messages.seq
PRAGMA legacy_alter_table = ON;

-- outbound.old: puts the gem's outbound_messages aside
-- when table outbound_messages
-- unless column outbound_messages.seq
ALTER TABLE outbound_messages RENAME TO communicator_old_outbound;

-- inbound.old: puts the gem's inbound_messages aside
-- when table inbound_messages
-- unless column inbound_messages.peer
ALTER TABLE inbound_messages RENAME TO communicator_old_inbound;

-- mappings.old: puts the gem's communicator_mappings aside
-- when table communicator_mappings
-- unless column communicator_mappings.clock
ALTER TABLE communicator_mappings RENAME TO communicator_old_mappings;

-- outbound.create: creates table outbound_messages
-- unless column outbound_messages.seq
CREATE TABLE outbound_messages (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    seq bigint,
    model varchar(255),
    local_record_id varchar(255),
    action varchar(10),
    body text NOT NULL,
    changed_columns text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    origin varchar(255),
    original_id varchar(255),
    source varchar(255),
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    delivered_at datetime
);

-- inbound.create: creates table inbound_messages
-- unless column inbound_messages.peer
CREATE TABLE inbound_messages (
    peer varchar(255) NOT NULL DEFAULT '',
    id bigint NOT NULL,
    model varchar(255),
    origin varchar(255),
    original_id varchar(255),
    action varchar(10),
    body text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    received_at bigint,
    processed_at datetime,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    transient integer NOT NULL DEFAULT 0,
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    PRIMARY KEY (peer, id)
);

-- mappings.create: makes table communicator_mappings again
-- when table communicator_mappings
-- unless column communicator_mappings.clock
CREATE TABLE communicator_mappings (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    origin varchar(255) NOT NULL,
    original_id varchar(255) NOT NULL,
    local_record_type varchar(255) NOT NULL,
    local_record_id varchar(255),
    clock bigint NOT NULL DEFAULT 0,
    clocks text,
    deleted_at bigint NOT NULL DEFAULT 0,
    same_as bigint,
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);

-- peers.create: creates table communicator_peers
-- unless table communicator_peers
CREATE TABLE communicator_peers (
    name varchar(255) PRIMARY KEY NOT NULL,
    epoch varchar(32),
    confirmed bigint NOT NULL DEFAULT 0,
    confirmed_id bigint NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    received_clock bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    has_received integer NOT NULL DEFAULT 0,
    last_push_at bigint NOT NULL DEFAULT 0,
    last_pull_at bigint NOT NULL DEFAULT 0,
    clock_offset bigint NOT NULL DEFAULT 0,
    status text
);

-- conflicts.create: creates table communicator_conflicts
-- unless table communicator_conflicts
CREATE TABLE communicator_conflicts (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    model varchar(255) NOT NULL,
    local_record_id varchar(255),
    origin varchar(255),
    original_id varchar(255),
    column_name varchar(255),
    lost_value text,
    lost_clock bigint,
    won_value text,
    won_clock bigint,
    peer varchar(255),
    message_id bigint,
    resolved_at bigint,
    created_at bigint NOT NULL
);
CREATE INDEX communicator_conflicts_record_index
    ON communicator_conflicts (model, local_record_id);

-- missing.create: creates table communicator_missing
-- unless table communicator_missing
CREATE TABLE communicator_missing (
    model varchar(255) NOT NULL,
    local_record_id varchar(255) NOT NULL,
    PRIMARY KEY (model, local_record_id)
);

-- node.create: creates table communicator_node
-- unless table communicator_node
CREATE TABLE communicator_node (
    id integer PRIMARY KEY NOT NULL,
    epoch varchar(32) NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    migrated_seq bigint NOT NULL DEFAULT 0,
    life integer NOT NULL DEFAULT 1,
    mappings_version bigint NOT NULL DEFAULT 0,
    paused_at bigint NOT NULL DEFAULT 0
);

-- schema.create: creates table communicator_schema
-- unless table communicator_schema
CREATE TABLE communicator_schema (
    version integer PRIMARY KEY NOT NULL,
    name varchar(255) NOT NULL,
    applied_at bigint NOT NULL
);

-- applying.create: creates table communicator_applying
-- unless table communicator_applying
CREATE TABLE communicator_applying (
    name text PRIMARY KEY NOT NULL
);

-- outbound.fill: takes over the gem's outbound messages
-- when table outbound_messages
-- unless column outbound_messages.seq
INSERT INTO outbound_messages (id, seq, body, origin, original_id,
    created_at, updated_at, delivered_at)
SELECT id, id, body, origin, CAST(original_id AS text),
    created_at, updated_at, delivered_at
FROM communicator_old_outbound ORDER BY id;

-- inbound.fill: takes over the gem's inbound messages, of {peer_words}
-- when table inbound_messages
-- unless column inbound_messages.peer
INSERT INTO inbound_messages (peer, id, body, origin, original_id,
    received_at, processed_at, created_at, updated_at)
SELECT {peer}, id, body, origin, CAST(original_id AS text),
    CAST(strftime('%s', created_at) AS integer) * 1000000,
    processed_at, created_at, updated_at
FROM communicator_old_inbound ORDER BY id;

-- mappings.fill: takes over the gem's mappings
-- when table communicator_mappings
-- unless column communicator_mappings.clock
INSERT INTO communicator_mappings (id, origin, original_id,
    local_record_type, local_record_id, created_at, updated_at)
SELECT id, origin, CAST(original_id AS text),
    local_record_type, CAST(local_record_id AS text), created_at, updated_at
FROM communicator_old_mappings ORDER BY id;

-- node.fill: gives this database its epoch
-- unless table communicator_node
INSERT INTO communicator_node (id, epoch, last_seq, migrated_seq)
SELECT 1, {epoch}, last, last
FROM (SELECT max(coalesce((SELECT max(id) FROM outbound_messages), 0),
        coalesce((SELECT max(seq) FROM sqlite_sequence
            WHERE name IN ('outbound_messages',
                'communicator_old_outbound')), 0)) AS last);

-- outbound.number: lets the ids of outbound_messages go on
-- when table outbound_messages
-- unless column outbound_messages.seq
DELETE FROM sqlite_sequence WHERE name = 'outbound_messages';
INSERT INTO sqlite_sequence (name, seq)
SELECT 'outbound_messages', last_seq FROM communicator_node;

-- peers.fill: takes over the gem's cursors, of {peer_words}
-- when table outbound_messages
-- when table inbound_messages
-- unless table communicator_peers
INSERT INTO communicator_peers (name, confirmed, confirmed_id, received,
    sent, has_received)
SELECT {peer}, confirmed, confirmed, received, max(confirmed, sent),
    has_received
FROM (SELECT
    coalesce(
        (SELECT max(id) FROM outbound_messages
            WHERE delivered_at IS NOT NULL AND id < first_waiting),
        first_waiting - 1,
        (SELECT max(id) FROM outbound_messages),
        (SELECT last_seq FROM communicator_node)) AS confirmed,
    coalesce((SELECT max(id) FROM outbound_messages
        WHERE delivered_at IS NOT NULL), 0) AS sent,
    coalesce((SELECT max(id) FROM inbound_messages), 0) AS received,
    (SELECT count(*) FROM (SELECT 1 FROM inbound_messages LIMIT 1))
        AS has_received
    FROM (SELECT min(id) AS first_waiting FROM outbound_messages
        WHERE delivered_at IS NULL))
WHERE received > 0 OR (SELECT last_seq FROM communicator_node) > 0;

-- outbound.drop: removes the gem's old outbound_messages
-- when table outbound_messages
-- unless column outbound_messages.seq
DROP TABLE communicator_old_outbound;

-- inbound.drop: removes the gem's old inbound_messages
-- when table inbound_messages
-- unless column inbound_messages.peer
DROP TABLE communicator_old_inbound;

-- mappings.drop: removes the gem's old communicator_mappings
-- when table communicator_mappings
-- unless column communicator_mappings.clock
DROP TABLE communicator_old_mappings;

-- rename.end: lets renaming change views again
-- when table outbound_messages
-- unless column outbound_messages.seq
PRAGMA legacy_alter_table = OFF;

-- indexes: creates the indexes
--
-- A message is in one of the first two: in the second when the application has
-- written it, in the first when it has its number.
CREATE UNIQUE INDEX IF NOT EXISTS outbound_messages_seq_index
    ON outbound_messages (seq) WHERE seq IS NOT NULL;
CREATE INDEX IF NOT EXISTS outbound_messages_unstamped_index
    ON outbound_messages (id) WHERE seq IS NULL;
CREATE INDEX IF NOT EXISTS inbound_messages_parked_index
    ON inbound_messages (peer, id) WHERE processed_at IS NULL;
