-- When the gem's nodes met last: until then each knew what the other one had
-- changed. `migrate` finds it out (lib/outbox/inherit.c).

-- node.met: notes in communicator_node when two gems met last
-- unless column communicator_node.met_at
ALTER TABLE communicator_node
    ADD COLUMN met_at bigint NOT NULL DEFAULT 0;
