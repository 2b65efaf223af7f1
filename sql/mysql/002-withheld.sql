-- Messages that are held back from a peer, so that what follows can pass.
--
-- A row that has ended stays: its number is still left out when the peer asks
-- again from further back.

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
    DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
