-- Messages that are withheld from a peer, so that those after them can be
-- sent.
--
-- A row that has ended stays: its number is still left out when the peer asks
-- for earlier messages again.

-- withheld.create: creates table communicator_withheld
-- unless table communicator_withheld
CREATE TABLE communicator_withheld (
    peer varchar(255) NOT NULL,
    seq bigint NOT NULL,
    model varchar(255),
    action varchar(10),
    local_record_id varchar(255),
    origin varchar(255),
    original_id varchar(255),
    refused_by varchar(10) NOT NULL,
    reason text NOT NULL,
    withheld_at bigint NOT NULL,
    ended_at bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (peer, seq),
    INDEX communicator_withheld_seq_index (seq),
    INDEX communicator_withheld_record_index (original_id)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;

-- mappings.identity: creates the index of mappings by identity
--
-- The column that distinguishes records comes first: without statistics the
-- database used the index by type only, which all records of a model share.
-- when table communicator_mappings
-- unless index communicator_mappings.communicator_mappings_identity_index
CREATE UNIQUE INDEX communicator_mappings_identity_index
    ON communicator_mappings (original_id, origin, local_record_type);

-- mappings.local_id: creates the index of mappings by local id
-- when table communicator_mappings
-- unless index communicator_mappings.communicator_mappings_local_index
CREATE UNIQUE INDEX communicator_mappings_local_index
    ON communicator_mappings (local_record_id, local_record_type);

-- mappings.identity.drop: removes the index that it replaces
-- when index communicator_mappings.remote_record_unique_index
DROP INDEX remote_record_unique_index ON communicator_mappings;

-- mappings.local_id.drop: removes the index that it replaces
-- when index communicator_mappings.local_record_unique_index
DROP INDEX local_record_unique_index ON communicator_mappings;
