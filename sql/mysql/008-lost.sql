-- What a peer has sent before its database was restored, and does not know.

-- peers.lost: notes in communicator_peers what a restored peer has lost
-- unless column communicator_peers.lost
ALTER TABLE communicator_peers
    ADD COLUMN lost bigint NOT NULL DEFAULT 0;
