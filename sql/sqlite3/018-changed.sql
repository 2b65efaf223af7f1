-- A column named "changed" keeps ActiveRecord from using the table: it has a
-- method of that name.

-- outbox.changed: renames the column changed of outbound_messages
-- when column outbound_messages.changed
--
-- SQLite renames it in the triggers, too, which go on. A view of the
-- application that is broken would keep it from that otherwise.
PRAGMA writable_schema = ON;
ALTER TABLE outbound_messages RENAME COLUMN changed TO changed_columns;
PRAGMA writable_schema = OFF;
