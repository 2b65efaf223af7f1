-- Tables that are being published: the next runs send their records, in the
-- order of the key.

-- publications.create: creates table communicator_publications
-- unless table communicator_publications
CREATE TABLE communicator_publications (
    model varchar(255) NOT NULL PRIMARY KEY,
    after_key text,
    records bigint NOT NULL,
    begun_at bigint NOT NULL
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC
    DEFAULT CHARACTER SET utf8mb4
    COLLATE /*M! utf8mb4_nopad_bin */ /*!80017 utf8mb4_0900_bin */;
