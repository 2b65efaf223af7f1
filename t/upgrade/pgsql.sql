-- A node of Communicator 0.9, as `pg_dump --inserts` wrote it: with
-- messages that are confirmed, numbered, not numbered, parked.
-- t/lib/Communicator/Test/Old.pm loads it.

CREATE FUNCTION public.communicator_posts_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 66e848265522a056 */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO "public".outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT 'post', t."id"::text, 'delete', '{"post":' || '{}}',
        communicator.moment
    FROM communicator_rows AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.communicator_posts_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 66e848265522a056 */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO "public".outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT 'post', t."id"::text, 'create', '{"post":' || (concat('{"title":', coalesce(to_json(t."title")::text, 'null'), ',"body":', coalesce(to_json(t."body")::text, 'null'), ',"user_id":', coalesce(t."user_id"::text, 'null'), ',"score":', coalesce(to_json(t."score")::text, 'null'), ',"published":', coalesce(t."published"::text, 'null'), ',"created_at":', coalesce(to_json(t."created_at")::text, 'null'), ',"updated_at":', coalesce(to_json(t."updated_at")::text, 'null'), '}')) || '}',
        communicator.moment
    FROM communicator_rows AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.communicator_posts_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 66e848265522a056 */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    rows bigint := (SELECT count(*) FROM communicator_rows AS t);
    written bigint;
BEGIN
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    IF rows = 1 THEN
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT 'post', n."id"::text, 'update', '{"post":' || (concat('{"title":', coalesce(to_json(n."title")::text, 'null'), ',"body":', coalesce(to_json(n."body")::text, 'null'), ',"user_id":', coalesce(n."user_id"::text, 'null'), ',"score":', coalesce(to_json(n."score")::text, 'null'), ',"published":', coalesce(n."published"::text, 'null'), ',"created_at":', coalesce(to_json(n."created_at")::text, 'null'), ',"updated_at":', coalesce(to_json(n."updated_at")::text, 'null'), '}')) || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM communicator_old AS o CROSS JOIN communicator_rows AS n
            CROSS JOIN LATERAL (SELECT ('' || CASE WHEN o."title"::text COLLATE "C" IS DISTINCT FROM n."title"::text THEN ',"title"' ELSE '' END || CASE WHEN o."body"::text COLLATE "C" IS DISTINCT FROM n."body"::text THEN ',"body"' ELSE '' END || CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN ',"user_id"' ELSE '' END || CASE WHEN o."score"::text COLLATE "C" IS DISTINCT FROM n."score"::text THEN ',"score"' ELSE '' END || CASE WHEN o."published" IS DISTINCT FROM n."published" THEN ',"published"' ELSE '' END || CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN ',"created_at"' ELSE '' END || CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN ',"updated_at"' ELSE '' END) AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT (o."id" IS DISTINCT FROM n."id");
    ELSE
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT 'post', n."id"::text, 'update', '{"post":' || (concat('{"title":', coalesce(to_json(n."title")::text, 'null'), ',"body":', coalesce(to_json(n."body")::text, 'null'), ',"user_id":', coalesce(n."user_id"::text, 'null'), ',"score":', coalesce(to_json(n."score")::text, 'null'), ',"published":', coalesce(n."published"::text, 'null'), ',"created_at":', coalesce(to_json(n."created_at")::text, 'null'), ',"updated_at":', coalesce(to_json(n."updated_at")::text, 'null'), '}')) || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
            CROSS JOIN LATERAL (SELECT ('' || CASE WHEN o."title"::text COLLATE "C" IS DISTINCT FROM n."title"::text THEN ',"title"' ELSE '' END || CASE WHEN o."body"::text COLLATE "C" IS DISTINCT FROM n."body"::text THEN ',"body"' ELSE '' END || CASE WHEN o."user_id" IS DISTINCT FROM n."user_id" THEN ',"user_id"' ELSE '' END || CASE WHEN o."score"::text COLLATE "C" IS DISTINCT FROM n."score"::text THEN ',"score"' ELSE '' END || CASE WHEN o."published" IS DISTINCT FROM n."published" THEN ',"published"' ELSE '' END || CASE WHEN o."created_at" IS DISTINCT FROM n."created_at" THEN ',"created_at"' ELSE '' END || CASE WHEN o."updated_at" IS DISTINCT FROM n."updated_at" THEN ',"updated_at"' ELSE '' END) AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT (o."id" IS DISTINCT FROM n."id");
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < rows THEN
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT 'post', o."id"::text, 'delete', '{"post":' || '{}}',
            communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
        WHERE o."id" IS DISTINCT FROM n."id" AND 1 = 1;
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT 'post', n."id"::text, 'create', '{"post":' || (concat('{"title":', coalesce(to_json(n."title")::text, 'null'), ',"body":', coalesce(to_json(n."body")::text, 'null'), ',"user_id":', coalesce(n."user_id"::text, 'null'), ',"score":', coalesce(to_json(n."score")::text, 'null'), ',"published":', coalesce(n."published"::text, 'null'), ',"created_at":', coalesce(to_json(n."created_at")::text, 'null'), ',"updated_at":', coalesce(to_json(n."updated_at")::text, 'null'), '}')) || '}',
            communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
        WHERE o."id" IS DISTINCT FROM n."id";
    END IF;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.communicator_users_delete() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 49d9457501e452fe */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO "public".outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT 'user', t."id"::text, 'delete', '{"user":' || '{}}',
        communicator.moment
    FROM communicator_rows AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.communicator_users_insert() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 49d9457501e452fe */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
BEGIN
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    INSERT INTO "public".outbound_messages
        (model, local_record_id, action, body, clock)
    SELECT 'user', t."id"::text, 'create', '{"user":' || (concat('{"name":', coalesce(to_json(t."name")::text, 'null'), '}')) || '}',
        communicator.moment
    FROM communicator_rows AS t;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE FUNCTION public.communicator_users_update() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'pg_catalog', 'pg_temp'
    AS $$
/* communicator 49d9457501e452fe */
<<communicator>>
DECLARE
    last bigint;
    moment bigint := extract(epoch FROM clock_timestamp()) * 1000000;
    rows bigint := (SELECT count(*) FROM communicator_rows AS t);
    written bigint;
BEGIN
    IF rows = 0 THEN
        RETURN NULL;
    END IF;
    BEGIN
        last := lastval();
    EXCEPTION WHEN OTHERS THEN
        last := NULL;
    END;
    IF rows = 1 THEN
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT 'user', n."id"::text, 'update', '{"user":' || (concat('{"name":', coalesce(to_json(n."name")::text, 'null'), '}')) || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM communicator_old AS o CROSS JOIN communicator_rows AS n
            CROSS JOIN LATERAL (SELECT ('' || CASE WHEN o."name"::text COLLATE "C" IS DISTINCT FROM n."name"::text THEN ',"name"' ELSE '' END) AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT (o."id" IS DISTINCT FROM n."id");
    ELSE
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, changed, clock)
        SELECT 'user', n."id"::text, 'update', '{"user":' || (concat('{"name":', coalesce(to_json(n."name")::text, 'null'), '}')) || '}',
            '[' || substr(c.names, 2) || ']', communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
            CROSS JOIN LATERAL (SELECT ('' || CASE WHEN o."name"::text COLLATE "C" IS DISTINCT FROM n."name"::text THEN ',"name"' ELSE '' END) AS names OFFSET 0) AS c
        WHERE c.names <> '' AND NOT (o."id" IS DISTINCT FROM n."id");
    END IF;
    GET DIAGNOSTICS written = ROW_COUNT;
    IF written < rows THEN
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT 'user', o."id"::text, 'delete', '{"user":' || '{}}',
            communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
        WHERE o."id" IS DISTINCT FROM n."id" AND 1 = 1;
        INSERT INTO "public".outbound_messages
            (model, local_record_id, action, body, clock)
        SELECT 'user', n."id"::text, 'create', '{"user":' || (concat('{"name":', coalesce(to_json(n."name")::text, 'null'), '}')) || '}',
            communicator.moment
        FROM (SELECT row_number() OVER () AS communicator_row, * FROM communicator_old) AS o FULL JOIN (SELECT row_number() OVER () AS communicator_row, * FROM communicator_rows) AS n USING (communicator_row)
        WHERE o."id" IS DISTINCT FROM n."id";
    END IF;
    WHILE last IS NOT NULL LOOP
        moment := setval('"public".communicator_lastval', last, false);
        EXIT WHEN nextval('"public".communicator_lastval') = last;
    END LOOP;
    RETURN NULL;
END
$$;
CREATE TABLE public.communicator_conflicts (
    id bigint NOT NULL,
    model character varying(255) NOT NULL,
    local_record_id character varying(255),
    origin character varying(255),
    original_id character varying(255),
    column_name character varying(255),
    lost_value text,
    lost_clock bigint,
    won_value text,
    won_clock bigint,
    peer character varying(255),
    message_id bigint,
    resolved_at bigint,
    created_at bigint NOT NULL
);
CREATE SEQUENCE public.communicator_conflicts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.communicator_conflicts_id_seq OWNED BY public.communicator_conflicts.id;
CREATE SEQUENCE public.communicator_lastval
    START WITH -9223372036854775808
    INCREMENT BY 1
    MINVALUE -9223372036854775808
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.communicator_mappings (
    id bigint NOT NULL,
    origin character varying(255) NOT NULL COLLATE pg_catalog."C",
    original_id character varying(255) NOT NULL COLLATE pg_catalog."C",
    local_record_type character varying(255) NOT NULL COLLATE pg_catalog."C",
    local_record_id character varying(255) COLLATE pg_catalog."C",
    clock bigint DEFAULT 0 NOT NULL,
    clocks text,
    deleted_at bigint DEFAULT 0 NOT NULL,
    same_as bigint,
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    updated_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text)
)
WITH (fillfactor='50');
CREATE SEQUENCE public.communicator_mappings_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.communicator_mappings_id_seq OWNED BY public.communicator_mappings.id;
CREATE TABLE public.communicator_missing (
    model character varying(255) NOT NULL,
    local_record_id character varying(255) NOT NULL
);
CREATE TABLE public.communicator_node (
    id integer NOT NULL,
    epoch character varying(32) NOT NULL,
    last_seq bigint DEFAULT 0 NOT NULL,
    migrated_seq bigint DEFAULT 0 NOT NULL,
    life integer DEFAULT 1 NOT NULL,
    mappings_version bigint DEFAULT 0 NOT NULL,
    paused_at bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.communicator_peers (
    name character varying(255) NOT NULL,
    epoch character varying(32),
    confirmed bigint DEFAULT 0 NOT NULL,
    confirmed_id bigint DEFAULT 0 NOT NULL,
    received bigint DEFAULT 0 NOT NULL,
    held bigint DEFAULT 0 NOT NULL,
    received_clock bigint DEFAULT 0 NOT NULL,
    sent bigint DEFAULT 0 NOT NULL,
    has_received integer DEFAULT 0 NOT NULL,
    last_push_at bigint DEFAULT 0 NOT NULL,
    last_pull_at bigint DEFAULT 0 NOT NULL,
    clock_offset bigint DEFAULT 0 NOT NULL,
    status text
);
CREATE TABLE public.communicator_schema (
    version integer NOT NULL,
    name character varying(255) NOT NULL,
    applied_at bigint NOT NULL
);
CREATE TABLE public.inbound_messages (
    peer character varying(255) DEFAULT ''::character varying NOT NULL COLLATE pg_catalog."C",
    id bigint NOT NULL,
    model character varying(255),
    origin character varying(255),
    original_id character varying(255),
    action character varying(10),
    body text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    received_at bigint,
    processed_at timestamp without time zone,
    attempts integer DEFAULT 0 NOT NULL,
    error text,
    transient integer DEFAULT 0 NOT NULL,
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    updated_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text)
);
CREATE TABLE public.outbound_messages (
    id bigint NOT NULL,
    seq bigint,
    model character varying(255),
    local_record_id character varying(255),
    action character varying(10),
    body text NOT NULL,
    changed text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    origin character varying(255),
    original_id character varying(255),
    source character varying(255),
    created_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    updated_at timestamp without time zone DEFAULT (now() AT TIME ZONE 'UTC'::text),
    delivered_at timestamp without time zone
)
WITH (fillfactor='45', autovacuum_vacuum_scale_factor='0.02', autovacuum_vacuum_threshold='2000');
CREATE SEQUENCE public.outbound_messages_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.outbound_messages_id_seq OWNED BY public.outbound_messages.id;
CREATE TABLE public.posts (
    id bigint NOT NULL,
    title character varying(255) NOT NULL,
    body text,
    user_id bigint,
    score numeric(12,2),
    published boolean,
    created_at timestamp without time zone,
    updated_at timestamp without time zone
);
CREATE SEQUENCE public.posts_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.posts_id_seq OWNED BY public.posts.id;
CREATE TABLE public.users (
    id bigint NOT NULL,
    name character varying(100)
);
CREATE SEQUENCE public.users_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
ALTER TABLE ONLY public.communicator_conflicts ALTER COLUMN id SET DEFAULT nextval('public.communicator_conflicts_id_seq'::regclass);
ALTER TABLE ONLY public.communicator_mappings ALTER COLUMN id SET DEFAULT nextval('public.communicator_mappings_id_seq'::regclass);
ALTER TABLE ONLY public.outbound_messages ALTER COLUMN id SET DEFAULT nextval('public.outbound_messages_id_seq'::regclass);
ALTER TABLE ONLY public.posts ALTER COLUMN id SET DEFAULT nextval('public.posts_id_seq'::regclass);
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
INSERT INTO public.communicator_conflicts VALUES (1, 'post', '1', 'central', '1', 'title', '"first here"', 1795846131272859, '"first there"', 1795846131293893, 'facade', 4, NULL, 1795846131403824);
INSERT INTO public.communicator_mappings VALUES (1, 'central', '5', 'User', '5', 1795846130929867, NULL, 0, NULL, '2026-11-28 06:08:51.028845', '2026-11-28 06:08:51.028845');
INSERT INTO public.communicator_mappings VALUES (2, 'central', '6', 'User', '6', 1795846130929867, NULL, 0, NULL, '2026-11-28 06:08:51.028845', '2026-11-28 06:08:51.028845');
INSERT INTO public.communicator_mappings VALUES (6, 'facade', '3', 'User', '7', 1795846131075780, NULL, 0, NULL, '2026-11-28 06:08:51.14862', '2026-11-28 06:08:51.14862');
INSERT INTO public.communicator_mappings VALUES (9, 'facade', '4', 'User', NULL, 0, NULL, 0, 8, '2026-11-28 06:08:51.244257', '2026-11-28 06:08:51.244257');
INSERT INTO public.communicator_mappings VALUES (8, 'central', '8', 'User', '8', 1795846131204813, NULL, 0, NULL, '2026-11-28 06:08:51.22907', '2026-11-28 06:08:51.22907');
INSERT INTO public.communicator_mappings VALUES (4, 'central', '2', 'Post', NULL, 1795846131339843, NULL, 1795846131339843, NULL, '2026-11-28 06:08:51.028845', '2026-11-28 06:08:51.028845');
INSERT INTO public.communicator_mappings VALUES (3, 'central', '1', 'Post', '1', 1795846131293893, '[1795846130992947,"body","created_at","published","updated_at","user_id"]', 0, NULL, '2026-11-28 06:08:51.028845', '2026-11-28 06:08:51.028845');
INSERT INTO public.communicator_mappings VALUES (5, 'central', '3', 'Post', '3', 1795846131604005, '[1795846131317922,"body",1795846130992947,"created_at","published","title","updated_at","user_id"]', 0, NULL, '2026-11-28 06:08:51.028845', '2026-11-28 06:08:51.028845');
INSERT INTO public.communicator_mappings VALUES (7, 'facade', '4', 'Post', NULL, 1795846131632912, NULL, 1795846131632912, NULL, '2026-11-28 06:08:51.14862', '2026-11-28 06:08:51.14862');
INSERT INTO public.communicator_mappings VALUES (10, 'central', '5', 'Post', '5', 1795846131605678, NULL, 0, NULL, '2026-11-28 06:08:51.65471', '2026-11-28 06:08:51.65471');
INSERT INTO public.communicator_node VALUES (1, '2bdea04ea88bd2a42a59dbd82e2a37f1', 11, 0, 1, 10, 0);
INSERT INTO public.communicator_peers VALUES ('facade', '35a24be5d2ee1614464eae0741aa8bcb', 8, 8, 7, 7, 1795846131495142, 8, 1, 1795846131394041, 1795846131535417, 770, '{"at":1795846131535331,"gem":0,"pending":0,"oldest":0,"parked":0}');
INSERT INTO public.communicator_schema VALUES (1, '001-create.sql', 1795846130735503);
INSERT INTO public.inbound_messages VALUES ('facade', 1, 'user', 'facade', '3', 'create', '{"user":{"name":"carl"}}', 1795846131075780, NULL, NULL, NULL, 1795846131148728, '2026-11-28 06:08:51.154919', 1, NULL, 0, '2026-11-28 06:08:51.14862', '2026-11-28 06:08:51.14862');
INSERT INTO public.inbound_messages VALUES ('facade', 2, 'post', 'facade', '4', 'create', '{"post":{"title":"theirs","body":"from there","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}', 1795846131115521, NULL, NULL, '{"user_id":{"model":"user","origin":"facade","original_id":3}}', 1795846131148728, '2026-11-28 06:08:51.154919', 1, NULL, 0, '2026-11-28 06:08:51.14862', '2026-11-28 06:08:51.14862');
INSERT INTO public.inbound_messages VALUES ('facade', 3, 'user', 'facade', '4', 'create', '{"user":{"name":"dora"}}', 1795846131204813, NULL, NULL, NULL, 1795846131244343, '2026-11-28 06:08:51.248427', 1, NULL, 0, '2026-11-28 06:08:51.244257', '2026-11-28 06:08:51.244257');
INSERT INTO public.inbound_messages VALUES ('facade', 4, 'post', 'central', '1', 'update', '{"post":{"title":"first there","body":"It''s €5","user_id":1,"score":"9.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}', 1795846131293893, '[1795846130992947,"body","created_at","published","updated_at","user_id"]', '1795846130992947', '{"user_id":{"model":"user","origin":"central","original_id":5}}', 1795846131400565, '2026-11-28 06:08:51.404312', 1, NULL, 0, '2026-11-28 06:08:51.400484', '2026-11-28 06:08:51.400484');
INSERT INTO public.inbound_messages VALUES ('facade', 5, 'post', 'central', '3', 'update', '{"post":{"title":"third","body":"changed there","user_id":1,"score":"2.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}', 1795846131317922, '[1795846130992947,"created_at","published","score","title","updated_at","user_id"]', '1795846130992947', '{"user_id":{"model":"user","origin":"central","original_id":5}}', 1795846131400565, '2026-11-28 06:08:51.404312', 1, NULL, 0, '2026-11-28 06:08:51.400484', '2026-11-28 06:08:51.400484');
INSERT INTO public.inbound_messages VALUES ('facade', 6, 'post', 'facade', '5', 'create', '{"post":{"title":null,"body":"without a title","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}', 1795846131474583, NULL, NULL, '{"user_id":{"model":"user","origin":"facade","original_id":3}}', 1795846131524849, NULL, 2, 'column ''title'' may not be NULL', 0, '2026-11-28 06:08:51.524743', '2026-11-28 06:08:51.524743');
INSERT INTO public.inbound_messages VALUES ('facade', 7, 'post', 'facade', '5', 'update', '{"post":{"title":null,"body":"still without","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}', 1795846131495142, '[1795846131474583,"created_at","published","score","title","updated_at","user_id"]', '1795846131474583', '{"user_id":{"model":"user","origin":"facade","original_id":3}}', 1795846131524849, NULL, 2, 'message 6 of the same record is parked', 1, '2026-11-28 06:08:51.524743', '2026-11-28 06:08:51.524743');
INSERT INTO public.outbound_messages VALUES (1, 1, 'user', '5', 'create', '{"user":{"name":"ann"}}', NULL, 1795846130929867, NULL, NULL, NULL, 'central', '5', NULL, '2026-11-28 06:08:50.925813', '2026-11-28 06:08:50.925813', '2026-11-28 06:08:51.039029');
INSERT INTO public.outbound_messages VALUES (2, 2, 'user', '6', 'create', '{"user":{"name":"bob"}}', NULL, 1795846130929867, NULL, NULL, NULL, 'central', '6', NULL, '2026-11-28 06:08:50.925813', '2026-11-28 06:08:50.925813', '2026-11-28 06:08:51.039029');
INSERT INTO public.outbound_messages VALUES (3, 3, 'post', '1', 'create', '{"post":{"title":"first","body":"It''s €5","user_id":5,"score":1.50,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', NULL, 1795846130992947, NULL, NULL, NULL, 'central', '1', NULL, '2026-11-28 06:08:50.988288', '2026-11-28 06:08:50.988288', '2026-11-28 06:08:51.039029');
INSERT INTO public.outbound_messages VALUES (4, 4, 'post', '2', 'create', '{"post":{"title":"second","body":null,"user_id":null,"score":null,"published":null,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', NULL, 1795846130992947, NULL, NULL, NULL, 'central', '2', NULL, '2026-11-28 06:08:50.988288', '2026-11-28 06:08:50.988288', '2026-11-28 06:08:51.039029');
INSERT INTO public.outbound_messages VALUES (5, 5, 'post', '3', 'create', '{"post":{"title":"third","body":"x","user_id":5,"score":2.00,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', NULL, 1795846130992947, NULL, NULL, NULL, 'central', '3', NULL, '2026-11-28 06:08:50.988288', '2026-11-28 06:08:50.988288', '2026-11-28 06:08:51.039029');
INSERT INTO public.outbound_messages VALUES (6, 6, 'user', '8', 'create', '{"user":{"name":"dora"}}', NULL, 1795846131182819, NULL, NULL, NULL, 'central', '8', NULL, '2026-11-28 06:08:51.180764', '2026-11-28 06:08:51.180764', '2026-11-28 06:08:51.234921');
INSERT INTO public.outbound_messages VALUES (7, 7, 'post', '1', 'update', '{"post":{"title":"first here","body":"It''s €5","user_id":5,"score":1.50,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', '["title"]', 1795846131272859, '[1795846130992947,"body","created_at","published","score","updated_at","user_id"]', '1795846130992947', NULL, 'central', '1', NULL, '2026-11-28 06:08:51.269992', '2026-11-28 06:08:51.269992', '2026-11-28 06:08:51.388077');
INSERT INTO public.outbound_messages VALUES (8, 8, 'post', '2', 'delete', '{"post":{}}', NULL, 1795846131339843, NULL, '1795846130992947', NULL, 'central', '2', NULL, '2026-11-28 06:08:51.337813', '2026-11-28 06:08:51.337813', '2026-11-28 06:08:51.388077');
INSERT INTO public.outbound_messages VALUES (9, 9, 'post', '3', 'update', '{"post":{"title":"third","body":"changed there","user_id":5,"score":4.00,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', '["score"]', 1795846131604005, '[1795846131317922,"body",1795846130992947,"created_at","published","title","updated_at","user_id"]', '1795846130992947', NULL, 'central', '3', NULL, '2026-11-28 06:08:51.601775', '2026-11-28 06:08:51.601775', '2026-11-28 06:08:51.658629');
INSERT INTO public.outbound_messages VALUES (10, 10, 'post', '5', 'create', '{"post":{"title":"fourth","body":"numbered","user_id":5,"score":4.00,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', NULL, 1795846131605678, NULL, NULL, NULL, 'central', '5', NULL, '2026-11-28 06:08:51.605471', '2026-11-28 06:08:51.605471', '2026-11-28 06:08:51.658629');
INSERT INTO public.outbound_messages VALUES (11, 11, 'post', '4', 'delete', '{"post":{}}', NULL, 1795846131632912, NULL, '1795846131115521', NULL, 'facade', '4', NULL, '2026-11-28 06:08:51.630842', '2026-11-28 06:08:51.630842', '2026-11-28 06:08:51.658629');
INSERT INTO public.outbound_messages VALUES (12, NULL, 'post', '5', 'update', '{"post":{"title":"fourth","body":"not numbered","user_id":5,"score":4.00,"published":true,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', '["body"]', 1795846131704105, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 06:08:51.701932', '2026-11-28 06:08:51.701932', NULL);
INSERT INTO public.outbound_messages VALUES (13, NULL, 'user', '9', 'create', '{"user":{"name":"emil"}}', NULL, 1795846131705831, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 06:08:51.70559', '2026-11-28 06:08:51.70559', NULL);
INSERT INTO public.outbound_messages VALUES (14, NULL, 'post', '6', 'create', '{"post":{"title":"fifth","body":"of emil","user_id":9,"score":5.00,"published":null,"created_at":"2026-01-02T03:04:05","updated_at":"2026-01-02T03:04:05"}}', NULL, 1795846131759664, NULL, NULL, NULL, NULL, NULL, NULL, '2026-11-28 06:08:51.757689', '2026-11-28 06:08:51.757689', NULL);
INSERT INTO public.posts VALUES (1, 'first there', 'It''s €5', 5, 9.00, true, '2026-01-02 03:04:05', '2026-01-02 03:04:05');
INSERT INTO public.posts VALUES (3, 'third', 'changed there', 5, 4.00, true, '2026-01-02 03:04:05', '2026-01-02 03:04:05');
INSERT INTO public.posts VALUES (5, 'fourth', 'not numbered', 5, 4.00, true, '2026-01-02 03:04:05', '2026-01-02 03:04:05');
INSERT INTO public.posts VALUES (6, 'fifth', 'of emil', 9, 5.00, NULL, '2026-01-02 03:04:05', '2026-01-02 03:04:05');
INSERT INTO public.users VALUES (5, 'ann');
INSERT INTO public.users VALUES (6, 'bob');
INSERT INTO public.users VALUES (7, 'carl');
INSERT INTO public.users VALUES (8, 'dora');
INSERT INTO public.users VALUES (9, 'emil');
SELECT pg_catalog.setval('public.communicator_conflicts_id_seq', 1, true);
SELECT pg_catalog.setval('public.communicator_lastval', 6, true);
SELECT pg_catalog.setval('public.communicator_mappings_id_seq', 10, true);
SELECT pg_catalog.setval('public.outbound_messages_id_seq', 14, true);
SELECT pg_catalog.setval('public.posts_id_seq', 6, true);
SELECT pg_catalog.setval('public.users_id_seq', 9, true);
ALTER TABLE ONLY public.communicator_conflicts
    ADD CONSTRAINT communicator_conflicts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.communicator_mappings
    ADD CONSTRAINT communicator_mappings_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.communicator_missing
    ADD CONSTRAINT communicator_missing_pkey PRIMARY KEY (model, local_record_id);
ALTER TABLE ONLY public.communicator_node
    ADD CONSTRAINT communicator_node_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.communicator_peers
    ADD CONSTRAINT communicator_peers_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.communicator_schema
    ADD CONSTRAINT communicator_schema_pkey PRIMARY KEY (version);
ALTER TABLE ONLY public.inbound_messages
    ADD CONSTRAINT inbound_messages_pkey PRIMARY KEY (peer, id);
ALTER TABLE ONLY public.outbound_messages
    ADD CONSTRAINT outbound_messages_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.posts
    ADD CONSTRAINT posts_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
CREATE INDEX communicator_conflicts_record_index ON public.communicator_conflicts USING btree (model, local_record_id);
CREATE INDEX inbound_messages_parked_index ON public.inbound_messages USING btree (peer, id) WHERE (processed_at IS NULL);
CREATE UNIQUE INDEX local_record_unique_index ON public.communicator_mappings USING btree (local_record_type, local_record_id);
CREATE UNIQUE INDEX outbound_messages_seq_index ON public.outbound_messages USING btree (seq) WHERE (seq IS NOT NULL);
CREATE INDEX outbound_messages_unstamped_index ON public.outbound_messages USING btree (id) WHERE (seq IS NULL);
CREATE UNIQUE INDEX remote_record_unique_index ON public.communicator_mappings USING btree (local_record_type, origin, original_id);
CREATE TRIGGER communicator_posts_delete AFTER DELETE ON public.posts REFERENCING OLD TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'posts'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_posts_delete();
CREATE TRIGGER communicator_posts_insert AFTER INSERT ON public.posts REFERENCING NEW TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'posts'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_posts_insert();
CREATE TRIGGER communicator_posts_update AFTER UPDATE ON public.posts REFERENCING OLD TABLE AS communicator_old NEW TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'posts'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_posts_update();
CREATE TRIGGER communicator_users_delete AFTER DELETE ON public.users REFERENCING OLD TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'users'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_users_delete();
CREATE TRIGGER communicator_users_insert AFTER INSERT ON public.users REFERENCING NEW TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'users'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_users_insert();
CREATE TRIGGER communicator_users_update AFTER UPDATE ON public.users REFERENCING OLD TABLE AS communicator_old NEW TABLE AS communicator_rows FOR EACH STATEMENT WHEN (((current_setting('communicator.applying'::text, true) IS DISTINCT FROM 'users'::text) OR (pg_trigger_depth() > 0))) EXECUTE FUNCTION public.communicator_users_update();
