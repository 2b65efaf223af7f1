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
    PRIMARY KEY (peer, seq)
);
CREATE INDEX communicator_withheld_seq_index ON communicator_withheld (seq);
CREATE INDEX communicator_withheld_record_index
    ON communicator_withheld (original_id);

-- mappings.indexes: lets the column that tells records apart come first
-- when table communicator_mappings
--
-- Before it was analysed, a database used the index by type only, which all
-- records of a model share: the first exchange was quadratic.
CREATE UNIQUE INDEX IF NOT EXISTS communicator_mappings_identity_index
    ON communicator_mappings (original_id, origin, local_record_type);
CREATE UNIQUE INDEX IF NOT EXISTS communicator_mappings_local_index
    ON communicator_mappings (local_record_id, local_record_type);
DROP INDEX IF EXISTS remote_record_unique_index;
DROP INDEX IF EXISTS local_record_unique_index;
