-- What CommunicatorAfterApply has still to do: a row for each batch that changed
-- one of its models.

-- after.create: creates table communicator_after
-- unless table communicator_after
CREATE TABLE communicator_after (
    id bigserial PRIMARY KEY,
    models varchar(255) NOT NULL
);
