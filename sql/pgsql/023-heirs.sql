-- The key of a record was changed, and rows that no foreign key binds may still
-- have the former one: they are to follow (lib/outbox/missing.h).

-- missing.heir: notes the new key of a record in communicator_missing
-- unless column communicator_missing.heir_id
ALTER TABLE communicator_missing ADD COLUMN heir_id varchar(255);
