-- Problems that are noticed once and last until they are known to have ended.
-- status, monitors and the status page read them.

-- problems.create: creates table communicator_problems
-- unless table communicator_problems
CREATE TABLE communicator_problems (
    subject varchar(255) NOT NULL,
    kind varchar(40) NOT NULL,
    severity integer NOT NULL,
    text mediumtext NOT NULL,
    remedy text,
    since bigint NOT NULL,
    seen_at bigint NOT NULL,
    times bigint NOT NULL,
    PRIMARY KEY (subject, kind)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
