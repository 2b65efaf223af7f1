-- Communicator's tables, new or made from those of the Ruby gem.
--
-- Which sections run is decided before the first one: tables of the gem are
-- altered, missing ones are created. Every statement commits. So a section is
-- one statement, and after a crash all of them may run again, even when the
-- application has written messages in between.

-- peers.create: creates table communicator_peers
-- unless table communicator_peers
CREATE TABLE communicator_peers (
    name varchar(255) NOT NULL PRIMARY KEY,
    epoch varchar(32),
    confirmed bigint NOT NULL DEFAULT 0,
    confirmed_id bigint NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    received_clock bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    has_received int NOT NULL DEFAULT 0,
    last_push_at bigint NOT NULL DEFAULT 0,
    last_pull_at bigint NOT NULL DEFAULT 0,
    clock_offset bigint NOT NULL DEFAULT 0,
    status mediumtext
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- conflicts.create: creates table communicator_conflicts
-- unless table communicator_conflicts
CREATE TABLE communicator_conflicts (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    model varchar(255) NOT NULL,
    local_record_id varchar(255),
    origin varchar(255),
    original_id varchar(255),
    column_name varchar(255),
    lost_value longtext,
    lost_clock bigint,
    won_value longtext,
    won_clock bigint,
    peer varchar(255),
    message_id bigint,
    resolved_at bigint,
    created_at bigint NOT NULL,
    INDEX communicator_conflicts_record_index (model, local_record_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- missing.create: creates table communicator_missing
-- unless table communicator_missing
CREATE TABLE communicator_missing (
    model varchar(255) NOT NULL,
    local_record_id varchar(255) NOT NULL,
    PRIMARY KEY (model, local_record_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- node.create: creates table communicator_node
-- unless table communicator_node
CREATE TABLE communicator_node (
    id int NOT NULL PRIMARY KEY,
    epoch varchar(32) NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    migrated_seq bigint NOT NULL DEFAULT 0,
    life integer NOT NULL DEFAULT 1,
    mappings_version bigint NOT NULL DEFAULT 0,
    paused_at bigint NOT NULL DEFAULT 0
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- schema.create: creates table communicator_schema
-- unless table communicator_schema
CREATE TABLE communicator_schema (
    version int NOT NULL PRIMARY KEY,
    name varchar(255) NOT NULL,
    applied_at bigint NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

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
    CONVERT TO CHARACTER SET utf8mb4
        COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */,
    ENGINE=InnoDB, ROW_FORMAT=DYNAMIC,
    MODIFY COLUMN id bigint NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN body longtext NOT NULL,
    MODIFY COLUMN original_id varchar(255),
    MODIFY COLUMN created_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    ADD COLUMN seq bigint,
    ADD COLUMN model varchar(255),
    ADD COLUMN local_record_id varchar(255),
    ADD COLUMN action varchar(10),
    ADD COLUMN changed_columns mediumtext,
    ADD COLUMN clock bigint,
    ADD COLUMN clocks mediumtext,
    ADD COLUMN base mediumtext,
    ADD COLUMN refs mediumtext,
    ADD COLUMN source varchar(255);

-- inbound.alter: upgrades the gem's inbound_messages, of {peer_words}
-- when table inbound_messages
-- unless column inbound_messages.peer
ALTER TABLE inbound_messages
    CONVERT TO CHARACTER SET utf8mb4
        COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */,
    ENGINE=InnoDB, ROW_FORMAT=DYNAMIC,
    DROP PRIMARY KEY,
    ADD COLUMN peer varchar(255) NOT NULL DEFAULT {peer} FIRST,
    MODIFY COLUMN id bigint NOT NULL,
    ADD PRIMARY KEY (peer, id),
    MODIFY COLUMN body longtext NULL,
    MODIFY COLUMN original_id varchar(255),
    MODIFY COLUMN created_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    ADD COLUMN model varchar(255),
    ADD COLUMN action varchar(10),
    ADD COLUMN clock bigint,
    ADD COLUMN clocks mediumtext,
    ADD COLUMN base mediumtext,
    ADD COLUMN refs mediumtext,
    ADD COLUMN received_at bigint,
    ADD COLUMN attempts int NOT NULL DEFAULT 0,
    ADD COLUMN error mediumtext,
    ADD COLUMN transient int NOT NULL DEFAULT 0;

-- inbound.default: takes back the default of that column
-- when table inbound_messages
ALTER TABLE inbound_messages ALTER COLUMN peer SET DEFAULT '';

-- inbound.received: says when they came
-- when table inbound_messages
UPDATE inbound_messages
SET received_at = TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at)
WHERE received_at IS NULL;

-- mappings.alter: upgrades the gem's communicator_mappings
-- when table communicator_mappings
-- unless column communicator_mappings.clock
ALTER TABLE communicator_mappings
    CONVERT TO CHARACTER SET utf8mb4
        COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */,
    ENGINE=InnoDB, ROW_FORMAT=DYNAMIC,
    MODIFY COLUMN id bigint NOT NULL AUTO_INCREMENT,
    MODIFY COLUMN original_id varchar(255) NOT NULL,
    MODIFY COLUMN local_record_id varchar(255) NULL,
    MODIFY COLUMN created_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    MODIFY COLUMN updated_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    ADD COLUMN clock bigint NOT NULL DEFAULT 0,
    ADD COLUMN clocks mediumtext,
    ADD COLUMN deleted_at bigint NOT NULL DEFAULT 0,
    ADD COLUMN same_as bigint;

-- outbound.create: creates table outbound_messages
-- unless table outbound_messages
CREATE TABLE outbound_messages (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    seq bigint,
    model varchar(255),
    local_record_id varchar(255),
    action varchar(10),
    body longtext NOT NULL,
    changed_columns mediumtext,
    clock bigint,
    clocks mediumtext,
    base mediumtext,
    refs mediumtext,
    origin varchar(255),
    original_id varchar(255),
    source varchar(255),
    created_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    updated_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    delivered_at datetime(6) NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- inbound.create: creates table inbound_messages
-- unless table inbound_messages
CREATE TABLE inbound_messages (
    peer varchar(255) NOT NULL DEFAULT '',
    id bigint NOT NULL,
    model varchar(255),
    origin varchar(255),
    original_id varchar(255),
    action varchar(10),
    body longtext,
    clock bigint,
    clocks mediumtext,
    base mediumtext,
    refs mediumtext,
    received_at bigint,
    processed_at datetime(6) NULL,
    attempts int NOT NULL DEFAULT 0,
    error mediumtext,
    transient int NOT NULL DEFAULT 0,
    created_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    updated_at datetime(6) NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (peer, id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- outbound.fill: lets the gem's messages keep their numbers
-- when table outbound_messages
UPDATE outbound_messages SET seq = id
WHERE seq IS NULL AND NOT EXISTS (SELECT 1 FROM communicator_node);

-- node.fill: gives this database its epoch
INSERT INTO communicator_node (id, epoch, last_seq, migrated_seq)
SELECT 1, {epoch}, used_id, used_id
FROM (SELECT GREATEST(
        COALESCE((SELECT MAX(id) FROM outbound_messages), 0),
        COALESCE((SELECT auto_increment - 1 FROM information_schema.tables
            WHERE table_schema = DATABASE()
                AND table_name = 'outbound_messages'), 0)) AS used_id) AS used
WHERE NOT EXISTS (SELECT 1 FROM communicator_node);

-- peers.fill: takes over the gem's cursors, of {peer_words}
-- when table outbound_messages
-- when table inbound_messages
INSERT INTO communicator_peers (name, confirmed, confirmed_id, received,
    sent, has_received)
SELECT {peer}, confirmed, confirmed, received, GREATEST(confirmed, sent),
    has_received
FROM (SELECT
    COALESCE(
        (SELECT MAX(id) FROM outbound_messages
            WHERE delivered_at IS NOT NULL AND id < first_waiting),
        first_waiting - 1,
        (SELECT MAX(id) FROM outbound_messages),
        (SELECT last_seq FROM communicator_node)) AS confirmed,
    COALESCE((SELECT MAX(id) FROM outbound_messages
        WHERE delivered_at IS NOT NULL), 0) AS sent,
    COALESCE((SELECT MAX(id) FROM inbound_messages), 0) AS received,
    (SELECT COUNT(*) FROM (SELECT 1 FROM inbound_messages LIMIT 1) AS one)
        AS has_received
    FROM (SELECT MIN(id) AS first_waiting FROM outbound_messages
        WHERE delivered_at IS NULL) AS waiting) AS cursors
WHERE (received > 0 OR (SELECT last_seq FROM communicator_node) > 0)
    AND NOT EXISTS (SELECT 1 FROM communicator_peers);

-- outbound.seq: creates the index of outbound_messages by number
-- unless index outbound_messages.outbound_messages_seq_index
CREATE UNIQUE INDEX outbound_messages_seq_index ON outbound_messages (seq);

-- inbound.parked: creates the index of parked messages
-- unless index inbound_messages.inbound_messages_parked_index
CREATE INDEX inbound_messages_parked_index
    ON inbound_messages (processed_at, peer, id);
