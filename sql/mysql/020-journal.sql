-- How each run with a peer went and, where peers connect to this node, what each
-- minute brought, for `status --history` and the charts of the status page.

-- journal.create: creates table communicator_journal
-- unless table communicator_journal
CREATE TABLE communicator_journal (
    id bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
    peer varchar(255) NOT NULL,
    command varchar(20) NOT NULL,
    began_at bigint NOT NULL,
    ended_at bigint NOT NULL,
    sent bigint NOT NULL,
    received bigint NOT NULL,
    applied bigint NOT NULL,
    parked bigint NOT NULL,
    exit_status integer NOT NULL,
    error text,
    pending bigint NOT NULL,
    waited bigint NOT NULL,
    pending_there bigint NOT NULL,
    waited_there bigint NOT NULL,
    confirmed bigint NOT NULL,
    received_seq bigint NOT NULL,
    KEY communicator_journal_ended_index (ended_at)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
