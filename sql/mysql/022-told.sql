-- When a gem was told to begin elsewhere, and the last message of the batch
-- with which it was: it sends all that it has from there on at once. What is
-- missing then is not there any more.

-- peers.told: notes in communicator_peers when a gem was told where to begin
-- unless column communicator_peers.told
ALTER TABLE communicator_peers
    ADD COLUMN told bigint NOT NULL DEFAULT 0,
    ADD COLUMN told_at bigint NOT NULL DEFAULT 0;
