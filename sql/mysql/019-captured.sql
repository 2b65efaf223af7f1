-- What the triggers of earlier versions have captured since 018 is in a column
-- that is not needed any more when all triggers are renewed.

-- outbox.captured: removes the column changed of outbound_messages
-- when triggers renewed
-- when column outbound_messages.changed
UPDATE outbound_messages SET changed_columns = changed
WHERE seq IS NULL AND changed IS NOT NULL;
ALTER TABLE outbound_messages DROP COLUMN changed;
