-- Communicator's tables, new or made from those of the Ruby gem.
--
-- Which sections run is decided before the first one: tables of the gem are
-- altered, missing ones are created. One transaction is around all.
--
-- Every message is written twice (captured, numbered), every mapping with each
-- change of its record: their pages have room for that. Each number leaves a
-- dead entry in the index of messages without one, so vacuum runs early. Names
-- are compared byte by byte.

-- outbound.origin: adds origin and original_id to outbound_messages
-- when table outbound_messages
-- unless column outbound_messages.origin
ALTER TABLE outbound_messages
    ADD COLUMN origin varchar(255), ADD COLUMN original_id varchar(255);

-- inbound.origin: adds origin and original_id to inbound_messages
-- when table inbound_messages
-- unless column inbound_messages.origin
ALTER TABLE inbound_messages
    ADD COLUMN origin varchar(255), ADD COLUMN original_id varchar(255);

-- outbound.alter: upgrades the gem's outbound_messages
-- when table outbound_messages
-- unless column outbound_messages.seq
ALTER TABLE outbound_messages
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN original_id TYPE varchar(255),
    ALTER COLUMN created_at DROP NOT NULL,
    ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ALTER COLUMN updated_at DROP NOT NULL,
    ALTER COLUMN updated_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ADD COLUMN seq bigint,
    ADD COLUMN model varchar(255),
    ADD COLUMN local_record_id varchar(255),
    ADD COLUMN action varchar(10),
    ADD COLUMN changed_columns text,
    ADD COLUMN clock bigint,
    ADD COLUMN clocks text,
    ADD COLUMN base text,
    ADD COLUMN refs text,
    ADD COLUMN source varchar(255),
    SET (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02,
        autovacuum_vacuum_threshold = 2000)
;;
DO $$
BEGIN
    IF pg_get_serial_sequence('outbound_messages', 'id') IS NOT NULL THEN
        EXECUTE 'ALTER SEQUENCE '
            || pg_get_serial_sequence('outbound_messages', 'id')
            || ' AS bigint';
    END IF;
END $$
;;
UPDATE outbound_messages SET seq = id
;;

-- inbound.alter: upgrades the gem's inbound_messages, of {peer_words}
-- when table inbound_messages
-- unless column inbound_messages.peer
DO $$
BEGIN
    EXECUTE (
        SELECT 'ALTER TABLE inbound_messages DROP CONSTRAINT '
            || quote_ident(conname)
        FROM pg_constraint
        WHERE conrelid = to_regclass('inbound_messages') AND contype = 'p');
END $$
;;
ALTER TABLE inbound_messages
    ADD COLUMN peer varchar(255) COLLATE "C" NOT NULL DEFAULT {peer},
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN id DROP DEFAULT,
    ALTER COLUMN original_id TYPE varchar(255),
    ALTER COLUMN body DROP NOT NULL,
    ALTER COLUMN created_at DROP NOT NULL,
    ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ALTER COLUMN updated_at DROP NOT NULL,
    ALTER COLUMN updated_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ADD COLUMN model varchar(255),
    ADD COLUMN action varchar(10),
    ADD COLUMN clock bigint,
    ADD COLUMN clocks text,
    ADD COLUMN base text,
    ADD COLUMN refs text,
    ADD COLUMN received_at bigint,
    ADD COLUMN attempts integer NOT NULL DEFAULT 0,
    ADD COLUMN error text,
    ADD COLUMN transient integer NOT NULL DEFAULT 0
;;
ALTER TABLE inbound_messages
    ALTER COLUMN peer SET DEFAULT '',
    ADD CONSTRAINT inbound_messages_pkey PRIMARY KEY (peer, id)
;;
UPDATE inbound_messages
SET received_at = (extract(epoch FROM created_at) * 1000000)::bigint
WHERE created_at IS NOT NULL
;;

-- mappings.alter: upgrades the gem's communicator_mappings
-- when table communicator_mappings
-- unless column communicator_mappings.clock
ALTER TABLE communicator_mappings
    ALTER COLUMN id TYPE bigint,
    ALTER COLUMN origin TYPE varchar(255) COLLATE "C",
    ALTER COLUMN original_id TYPE varchar(255) COLLATE "C",
    ALTER COLUMN local_record_type TYPE varchar(255) COLLATE "C",
    ALTER COLUMN local_record_id TYPE varchar(255) COLLATE "C",
    ALTER COLUMN local_record_id DROP NOT NULL,
    ALTER COLUMN created_at DROP NOT NULL,
    ALTER COLUMN created_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ALTER COLUMN updated_at DROP NOT NULL,
    ALTER COLUMN updated_at SET DEFAULT (now() AT TIME ZONE 'UTC'),
    ADD COLUMN clock bigint NOT NULL DEFAULT 0,
    ADD COLUMN clocks text,
    ADD COLUMN deleted_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN same_as bigint,
    SET (fillfactor = 50)
;;
DO $$
BEGIN
    IF pg_get_serial_sequence('communicator_mappings', 'id') IS NOT NULL THEN
        EXECUTE 'ALTER SEQUENCE '
            || pg_get_serial_sequence('communicator_mappings', 'id')
            || ' AS bigint';
    END IF;
END $$
;;

-- outbound.create: creates table outbound_messages
-- unless table outbound_messages
CREATE TABLE outbound_messages (
    id bigserial PRIMARY KEY,
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
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    delivered_at timestamp
) WITH (fillfactor = 45, autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_threshold = 2000);

-- inbound.create: creates table inbound_messages
-- unless table inbound_messages
CREATE TABLE inbound_messages (
    peer varchar(255) COLLATE "C" NOT NULL DEFAULT '',
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
    processed_at timestamp,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    transient integer NOT NULL DEFAULT 0,
    created_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    updated_at timestamp DEFAULT (now() AT TIME ZONE 'UTC'),
    PRIMARY KEY (peer, id)
);

-- peers.create: creates table communicator_peers
-- unless table communicator_peers
CREATE TABLE communicator_peers (
    name varchar(255) PRIMARY KEY,
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
    id bigserial PRIMARY KEY,
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
    id integer PRIMARY KEY,
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
    version integer PRIMARY KEY,
    name varchar(255) NOT NULL,
    applied_at bigint NOT NULL
);

-- node.fill: gives this database its epoch
-- unless table communicator_node
INSERT INTO communicator_node (id, epoch, last_seq, migrated_seq)
SELECT 1, {epoch}, last, last
FROM (SELECT greatest(coalesce(max(id), 0), coalesce(
        pg_sequence_last_value(to_regclass(pg_get_serial_sequence(
            'outbound_messages', 'id'))), 0)) AS last
    FROM outbound_messages) AS used;

-- peers.fill: takes over the gem's cursors, of {peer_words}
-- when table outbound_messages
-- when table inbound_messages
-- unless table communicator_peers
INSERT INTO communicator_peers (name, confirmed, confirmed_id, received,
    sent, has_received)
SELECT {peer}, confirmed, confirmed, received, greatest(confirmed, sent),
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
    (SELECT count(*) FROM (SELECT 1 FROM inbound_messages LIMIT 1) AS one)
        AS has_received
    FROM (SELECT min(id) AS first_waiting FROM outbound_messages
        WHERE delivered_at IS NULL) AS waiting) AS cursors
WHERE received > 0 OR (SELECT last_seq FROM communicator_node) > 0;

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
