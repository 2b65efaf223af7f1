-- Rows of a table that is published by logical replication (FOR ALL TABLES)
-- can be changed only if it has a primary key.

-- records.primary: gives the tables of records a primary key
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT 'communicator_records_' || id FROM communicator_models
        WHERE to_regclass('communicator_records_' || id) IS NOT NULL
            AND NOT EXISTS (SELECT FROM pg_index WHERE indisprimary
                AND indrelid = to_regclass('communicator_records_' || id))
    LOOP
        EXECUTE format('ALTER TABLE %1$I ADD CONSTRAINT %2$I'
            ' PRIMARY KEY USING INDEX %2$I', name, name || '_identity');
    END LOOP;
END
$$
;;
