-- Tables that are being published: the next runs send their records, in the
-- order of the key.

-- publications.create: creates table communicator_publications
-- unless table communicator_publications
CREATE TABLE communicator_publications (
    model varchar(255) NOT NULL PRIMARY KEY,
    after_key text,
    records bigint NOT NULL,
    begun_at bigint NOT NULL
);
