-- What lib/schema/migrate.c needs of every database.

-- adoptable: are there messages of the gem's time without a peer, that PEER
-- may get
SELECT 1 FROM communicator_peers
WHERE name = ''
    AND NOT EXISTS (SELECT 1 FROM communicator_peers
        WHERE name = %s AND (has_received <> 0 OR confirmed <> 0));

-- adopt: gives the messages of the gem's time to {peer_words}
UPDATE inbound_messages SET peer = {peer} WHERE peer = '';
DELETE FROM communicator_peers WHERE name = {peer};
UPDATE communicator_peers SET name = {peer} WHERE name = '';

-- record: notes the version of the tables
INSERT INTO communicator_schema (version, name, applied_at)
VALUES ({version}, {name}, {now});

-- altered: is there a column that did not keep what was written
SELECT 1 FROM communicator_altered;

-- altered.forget: forgets which columns did not keep what was written
DELETE FROM communicator_altered;

-- sequence: is there a sequence that stayed behind
SELECT 1 FROM communicator_problems WHERE kind = 'sequence';

-- sequence.forget: forgets which sequences stayed behind
DELETE FROM communicator_problems WHERE kind = 'sequence';
