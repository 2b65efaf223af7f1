-- A column named "changed" keeps ActiveRecord from using the table: it has a
-- method of that name.

-- outbox.changed: renames the column changed of outbound_messages
-- when column outbound_messages.changed
-- unless column outbound_messages.changed_columns
--
-- The triggers of earlier versions go on with another column of that name.
ALTER TABLE outbound_messages RENAME COLUMN changed TO changed_columns;
ALTER TABLE outbound_messages ADD COLUMN changed text;
