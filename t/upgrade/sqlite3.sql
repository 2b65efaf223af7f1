-- A node of Communicator 0.9, as `.dump` wrote it: with
-- messages that are confirmed, numbered, not numbered, parked.
-- t/lib/Communicator/Test/Old.pm loads it.

PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE users (id integer primary key autoincrement, name varchar(100));
INSERT INTO users VALUES(5,'ann');
INSERT INTO users VALUES(6,'bob');
INSERT INTO users VALUES(7,'carl');
INSERT INTO users VALUES(8,'dora');
INSERT INTO users VALUES(9,'emil');
CREATE TABLE posts (id integer primary key autoincrement, title varchar(255) not null, body text, user_id bigint, score numeric(12,2), published boolean, created_at datetime, updated_at datetime);
INSERT INTO posts VALUES(1,'first there','It''s €5',5,9,1,'2026-01-02 03:04:05','2026-01-02 03:04:05');
INSERT INTO posts VALUES(3,'third','changed there',5,4,1,'2026-01-02 03:04:05','2026-01-02 03:04:05');
INSERT INTO posts VALUES(5,'fourth','not numbered',5,4,1,'2026-01-02 03:04:05','2026-01-02 03:04:05');
INSERT INTO posts VALUES(6,'fifth','of emil',9,5,NULL,'2026-01-02 03:04:05','2026-01-02 03:04:05');
CREATE TABLE outbound_messages (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    seq bigint,
    model varchar(255),
    local_record_id varchar(255),
    action varchar(10),
    body text NOT NULL,
    changed text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    origin varchar(255),
    original_id varchar(255),
    source varchar(255),
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    delivered_at datetime
);
INSERT INTO outbound_messages VALUES(1,1,'user','5','create','{"user":{"name":"ann"}}',NULL,1795846125823000,NULL,NULL,NULL,'central','5',NULL,'2026-11-28 06:08:45','2026-11-28 06:08:45','2026-11-28 06:08:45.874971');
INSERT INTO outbound_messages VALUES(2,2,'user','6','create','{"user":{"name":"bob"}}',NULL,1795846125823000,NULL,NULL,NULL,'central','6',NULL,'2026-11-28 06:08:45','2026-11-28 06:08:45','2026-11-28 06:08:45.874971');
INSERT INTO outbound_messages VALUES(3,3,'post','1','create','{"post":{"title":"first","body":"It''s €5","user_id":5,"score":1.5,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}',NULL,1795846125844000,NULL,NULL,NULL,'central','1',NULL,'2026-11-28 06:08:45','2026-11-28 06:08:45','2026-11-28 06:08:45.874971');
INSERT INTO outbound_messages VALUES(4,4,'post','2','create','{"post":{"title":"second","body":null,"user_id":null,"score":null,"published":null,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}',NULL,1795846125844000,NULL,NULL,NULL,'central','2',NULL,'2026-11-28 06:08:45','2026-11-28 06:08:45','2026-11-28 06:08:45.874971');
INSERT INTO outbound_messages VALUES(5,5,'post','3','create','{"post":{"title":"third","body":"x","user_id":5,"score":2,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}',NULL,1795846125844000,NULL,NULL,NULL,'central','3',NULL,'2026-11-28 06:08:45','2026-11-28 06:08:45','2026-11-28 06:08:45.874971');
INSERT INTO outbound_messages VALUES(6,6,'user','8','create','{"user":{"name":"dora"}}',NULL,1795846126003000,NULL,NULL,NULL,'central','8',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.060968');
INSERT INTO outbound_messages VALUES(7,7,'post','1','update','{"post":{"title":"first here","body":"It''s €5","user_id":5,"score":1.5,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}','["title"]',1795846126140000,'[1795846125844000,"body","created_at","published","score","updated_at","user_id"]','1795846125844000',NULL,'central','1',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.243284');
INSERT INTO outbound_messages VALUES(8,8,'post','2','delete','{"post":{}}',NULL,1795846126212000,NULL,'1795846125844000',NULL,'central','2',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.243284');
INSERT INTO outbound_messages VALUES(9,9,'post','3','update','{"post":{"title":"third","body":"changed there","user_id":5,"score":4,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}','["score"]',1795846126418000,'[1795846126200000,"body",1795846125844000,"created_at","published","title","updated_at","user_id"]','1795846125844000',NULL,'central','3',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.476083');
INSERT INTO outbound_messages VALUES(10,10,'post','5','create','{"post":{"title":"fourth","body":"numbered","user_id":5,"score":4,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}',NULL,1795846126422000,NULL,NULL,NULL,'central','5',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.476083');
INSERT INTO outbound_messages VALUES(11,11,'post','4','delete','{"post":{}}',NULL,1795846126436000,NULL,'1795846125946000',NULL,'facade','4',NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46','2026-11-28 06:08:46.476083');
INSERT INTO outbound_messages VALUES(12,NULL,'post','5','update','{"post":{"title":"fourth","body":"not numbered","user_id":5,"score":4,"published":1,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}','["body"]',1795846126547000,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46',NULL);
INSERT INTO outbound_messages VALUES(13,NULL,'user','9','create','{"user":{"name":"emil"}}',NULL,1795846126551000,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46',NULL);
INSERT INTO outbound_messages VALUES(14,NULL,'post','6','create','{"post":{"title":"fifth","body":"of emil","user_id":9,"score":5,"published":null,"created_at":"2026-01-02 03:04:05","updated_at":"2026-01-02 03:04:05"}}',NULL,1795846126567000,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:46','2026-11-28 06:08:46',NULL);
CREATE TABLE inbound_messages (
    peer varchar(255) NOT NULL DEFAULT '',
    id bigint NOT NULL,
    model varchar(255),
    origin varchar(255),
    original_id varchar(255),
    action varchar(10),
    body text,
    clock bigint,
    clocks text,
    base text,
    refs text,
    received_at bigint,
    processed_at datetime,
    attempts integer NOT NULL DEFAULT 0,
    error text,
    transient integer NOT NULL DEFAULT 0,
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    PRIMARY KEY (peer, id)
);
INSERT INTO inbound_messages VALUES('facade',1,'user','facade','3','create','{"user":{"name":"carl"}}',1795846125912000,NULL,NULL,NULL,1795846125972465,'2026-11-28 06:08:45.974029',1,NULL,0,'2026-11-28 06:08:45.974','2026-11-28 06:08:45.974');
INSERT INTO inbound_messages VALUES('facade',2,'post','facade','4','create','{"post":{"title":"theirs","body":"from there","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}',1795846125946000,NULL,NULL,'{"user_id":{"model":"user","origin":"facade","original_id":3}}',1795846125972465,'2026-11-28 06:08:45.974029',1,NULL,0,'2026-11-28 06:08:45.974','2026-11-28 06:08:45.974');
INSERT INTO inbound_messages VALUES('facade',3,'user','facade','4','create','{"user":{"name":"dora"}}',1795846126043000,NULL,NULL,NULL,1795846126093265,'2026-11-28 06:08:46.093690',1,NULL,0,'2026-11-28 06:08:46.093','2026-11-28 06:08:46.093');
INSERT INTO inbound_messages VALUES('facade',4,'post','central','1','update','{"post":{"title":"first there","body":"It''s €5","user_id":1,"score":"9.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}',1795846126175000,'[1795846125844000,"body","created_at","published","updated_at","user_id"]','1795846125844000','{"user_id":{"model":"user","origin":"central","original_id":5}}',1795846126249255,'2026-11-28 06:08:46.250566',1,NULL,0,'2026-11-28 06:08:46.250','2026-11-28 06:08:46.250');
INSERT INTO inbound_messages VALUES('facade',5,'post','central','3','update','{"post":{"title":"third","body":"changed there","user_id":1,"score":"2.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}',1795846126200000,'[1795846125844000,"created_at","published","score","title","updated_at","user_id"]','1795846125844000','{"user_id":{"model":"user","origin":"central","original_id":5}}',1795846126249255,'2026-11-28 06:08:46.250566',1,NULL,0,'2026-11-28 06:08:46.250','2026-11-28 06:08:46.250');
INSERT INTO inbound_messages VALUES('facade',6,'post','facade','5','create','{"post":{"title":null,"body":"without a title","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}',1795846126309000,NULL,NULL,'{"user_id":{"model":"user","origin":"facade","original_id":3}}',1795846126348392,NULL,2,'column ''title'' may not be NULL',0,'2026-11-28 06:08:46.349','2026-11-28 06:08:46.349');
INSERT INTO inbound_messages VALUES('facade',7,'post','facade','5','update','{"post":{"title":null,"body":"still without","user_id":3,"score":"3.00","published":true,"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}}',1795846126328000,'[1795846126309000,"created_at","published","score","title","updated_at","user_id"]','1795846126309000','{"user_id":{"model":"user","origin":"facade","original_id":3}}',1795846126348392,NULL,2,'message 6 of the same record is parked',1,'2026-11-28 06:08:46.349','2026-11-28 06:08:46.349');
CREATE TABLE communicator_mappings (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    origin varchar(255) NOT NULL,
    original_id varchar(255) NOT NULL,
    local_record_type varchar(255) NOT NULL,
    local_record_id varchar(255),
    clock bigint NOT NULL DEFAULT 0,
    clocks text,
    deleted_at bigint NOT NULL DEFAULT 0,
    same_as bigint,
    created_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now')),
    updated_at datetime DEFAULT (strftime('%Y-%m-%d %H:%M:%f', 'now'))
);
INSERT INTO communicator_mappings VALUES(1,'central','5','User','5',1795846125823000,NULL,0,NULL,'2026-11-28 06:08:45.874','2026-11-28 06:08:45.874');
INSERT INTO communicator_mappings VALUES(2,'central','6','User','6',1795846125823000,NULL,0,NULL,'2026-11-28 06:08:45.874','2026-11-28 06:08:45.874');
INSERT INTO communicator_mappings VALUES(3,'central','1','Post','1',1795846126175000,'[1795846125844000,"body","created_at","published","updated_at","user_id"]',0,NULL,'2026-11-28 06:08:45.874','2026-11-28 06:08:45.874');
INSERT INTO communicator_mappings VALUES(4,'central','2','Post',NULL,1795846126212000,NULL,1795846126212000,NULL,'2026-11-28 06:08:45.874','2026-11-28 06:08:45.874');
INSERT INTO communicator_mappings VALUES(5,'central','3','Post','3',1795846126418000,'[1795846126200000,"body",1795846125844000,"created_at","published","title","updated_at","user_id"]',0,NULL,'2026-11-28 06:08:45.874','2026-11-28 06:08:45.874');
INSERT INTO communicator_mappings VALUES(6,'facade','3','User','7',1795846125912000,NULL,0,NULL,'2026-11-28 06:08:45.973','2026-11-28 06:08:45.973');
INSERT INTO communicator_mappings VALUES(7,'facade','4','Post',NULL,1795846126436000,NULL,1795846126436000,NULL,'2026-11-28 06:08:45.973','2026-11-28 06:08:45.973');
INSERT INTO communicator_mappings VALUES(8,'central','8','User','8',1795846126043000,NULL,0,NULL,'2026-11-28 06:08:46.060','2026-11-28 06:08:46.060');
INSERT INTO communicator_mappings VALUES(9,'facade','4','User',NULL,0,NULL,0,8,'2026-11-28 06:08:46.093','2026-11-28 06:08:46.093');
INSERT INTO communicator_mappings VALUES(10,'central','5','Post','5',1795846126422000,NULL,0,NULL,'2026-11-28 06:08:46.476','2026-11-28 06:08:46.476');
CREATE TABLE communicator_peers (
    name varchar(255) PRIMARY KEY NOT NULL,
    epoch varchar(32),
    confirmed bigint NOT NULL DEFAULT 0,
    confirmed_id bigint NOT NULL DEFAULT 0,
    received bigint NOT NULL DEFAULT 0,
    held bigint NOT NULL DEFAULT 0,
    received_clock bigint NOT NULL DEFAULT 0,
    sent bigint NOT NULL DEFAULT 0,
    has_received integer NOT NULL DEFAULT 0,
    last_push_at bigint NOT NULL DEFAULT 0,
    last_pull_at bigint NOT NULL DEFAULT 0,
    clock_offset bigint NOT NULL DEFAULT 0,
    status text
);
INSERT INTO communicator_peers VALUES('facade','931d6c2cc5e784856cf667a81683a480',8,8,7,7,1795846126328000,8,1,1795846126247961,1795846126358265,2777,'{"at":1795846126358231,"gem":0,"pending":0,"oldest":0,"parked":0}');
CREATE TABLE communicator_conflicts (
    id integer PRIMARY KEY AUTOINCREMENT NOT NULL,
    model varchar(255) NOT NULL,
    local_record_id varchar(255),
    origin varchar(255),
    original_id varchar(255),
    column_name varchar(255),
    lost_value text,
    lost_clock bigint,
    won_value text,
    won_clock bigint,
    peer varchar(255),
    message_id bigint,
    resolved_at bigint,
    created_at bigint NOT NULL
);
INSERT INTO communicator_conflicts VALUES(1,'post','1','central','1','title','"first here"',1795846126140000,'"first there"',1795846126175000,'facade',4,NULL,1795846126250535);
CREATE TABLE communicator_missing (
    model varchar(255) NOT NULL,
    local_record_id varchar(255) NOT NULL,
    PRIMARY KEY (model, local_record_id)
);
CREATE TABLE communicator_node (
    id integer PRIMARY KEY NOT NULL,
    epoch varchar(32) NOT NULL,
    last_seq bigint NOT NULL DEFAULT 0,
    migrated_seq bigint NOT NULL DEFAULT 0,
    life integer NOT NULL DEFAULT 1,
    mappings_version bigint NOT NULL DEFAULT 0,
    paused_at bigint NOT NULL DEFAULT 0
);
INSERT INTO communicator_node VALUES(1,'5bb5fe258d3fc6f4a8553a4f37c78366',11,0,1,10,0);
CREATE TABLE communicator_schema (
    version integer PRIMARY KEY NOT NULL,
    name varchar(255) NOT NULL,
    applied_at bigint NOT NULL
);
INSERT INTO communicator_schema VALUES(1,'001-create.sql',1795846125658319);
CREATE TABLE communicator_applying (
    name text PRIMARY KEY NOT NULL
);
DELETE FROM sqlite_sequence;
INSERT INTO sqlite_sequence VALUES('users',9);
INSERT INTO sqlite_sequence VALUES('outbound_messages',14);
INSERT INTO sqlite_sequence VALUES('posts',6);
INSERT INTO sqlite_sequence VALUES('communicator_mappings',10);
INSERT INTO sqlite_sequence VALUES('communicator_conflicts',1);
CREATE INDEX communicator_conflicts_record_index
    ON communicator_conflicts (model, local_record_id);
CREATE UNIQUE INDEX outbound_messages_seq_index
    ON outbound_messages (seq) WHERE seq IS NOT NULL;
CREATE INDEX outbound_messages_unstamped_index
    ON outbound_messages (id) WHERE seq IS NULL;
CREATE INDEX inbound_messages_parked_index
    ON inbound_messages (peer, id) WHERE processed_at IS NULL;
CREATE UNIQUE INDEX remote_record_unique_index
    ON communicator_mappings (local_record_type, origin, original_id);
CREATE UNIQUE INDEX local_record_unique_index
    ON communicator_mappings (local_record_type, local_record_id);
CREATE TRIGGER "communicator_users_insert" AFTER INSERT ON "users"
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying WHERE name = 'users')
BEGIN /* communicator 522d0c7c23c214e8 */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ('user', CAST(NEW."id" AS TEXT), 'create', '{"user":' || ('{"name":' || CASE typeof(NEW."name") WHEN 'text' THEN json_quote(NEW."name") WHEN 'integer' THEN NEW."name" WHEN 'real' THEN CASE NEW."name" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."name") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."name")) || '"}' ELSE 'null' END || '}') || '}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
CREATE TRIGGER "communicator_users_update" AFTER UPDATE ON "users"
WHEN ((typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") OR (1 = 0 OR (typeof(OLD."name") <> typeof(NEW."name") OR OLD."name" COLLATE BINARY IS NOT NEW."name")))
    AND NOT EXISTS (SELECT 1 FROM communicator_applying
        WHERE name = 'users')
BEGIN /* communicator 522d0c7c23c214e8 */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    SELECT 'user', CAST(OLD."id" AS TEXT), 'delete', '{"user":' || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP
    WHERE (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") AND 1 = 1;
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, changed, clock,
            created_at, updated_at)
    VALUES ('user', CAST(NEW."id" AS TEXT),
        CASE WHEN (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") THEN 'create' ELSE 'update' END,
        '{"user":' || ('{"name":' || CASE typeof(NEW."name") WHEN 'text' THEN json_quote(NEW."name") WHEN 'integer' THEN NEW."name" WHEN 'real' THEN CASE NEW."name" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."name") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."name")) || '"}' ELSE 'null' END || '}') || '}',
        CASE WHEN NOT (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") THEN '[' || substr(('' || CASE WHEN (typeof(OLD."name") <> typeof(NEW."name") OR OLD."name" COLLATE BINARY IS NOT NEW."name") THEN ',"name"' ELSE '' END), 2) || ']'
        END,
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
CREATE TRIGGER "communicator_users_delete" AFTER DELETE ON "users"
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying
    WHERE name IN ('users', 'users' || char(31) || CAST(OLD."id" AS TEXT)))
BEGIN /* communicator 522d0c7c23c214e8 */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ('user', CAST(OLD."id" AS TEXT), 'delete', '{"user":' || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
CREATE TRIGGER "communicator_posts_insert" AFTER INSERT ON "posts"
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying WHERE name = 'posts')
BEGIN /* communicator af600f192f0eeeec */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ('post', CAST(NEW."id" AS TEXT), 'create', '{"post":' || ('{"title":' || CASE typeof(NEW."title") WHEN 'text' THEN json_quote(NEW."title") WHEN 'integer' THEN NEW."title" WHEN 'real' THEN CASE NEW."title" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."title") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."title")) || '"}' ELSE 'null' END || ',"body":' || CASE typeof(NEW."body") WHEN 'text' THEN json_quote(NEW."body") WHEN 'integer' THEN NEW."body" WHEN 'real' THEN CASE NEW."body" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."body") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."body")) || '"}' ELSE 'null' END || ',"user_id":' || CASE typeof(NEW."user_id") WHEN 'text' THEN json_quote(NEW."user_id") WHEN 'integer' THEN NEW."user_id" WHEN 'real' THEN CASE NEW."user_id" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."user_id") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."user_id")) || '"}' ELSE 'null' END || ',"score":' || CASE typeof(NEW."score") WHEN 'text' THEN json_quote(NEW."score") WHEN 'integer' THEN NEW."score" WHEN 'real' THEN CASE NEW."score" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."score") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."score")) || '"}' ELSE 'null' END || ',"published":' || CASE typeof(NEW."published") WHEN 'text' THEN json_quote(NEW."published") WHEN 'integer' THEN NEW."published" WHEN 'real' THEN CASE NEW."published" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."published") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."published")) || '"}' ELSE 'null' END || ',"created_at":' || CASE typeof(NEW."created_at") WHEN 'text' THEN json_quote(NEW."created_at") WHEN 'integer' THEN NEW."created_at" WHEN 'real' THEN CASE NEW."created_at" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."created_at") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."created_at")) || '"}' ELSE 'null' END || ',"updated_at":' || CASE typeof(NEW."updated_at") WHEN 'text' THEN json_quote(NEW."updated_at") WHEN 'integer' THEN NEW."updated_at" WHEN 'real' THEN CASE NEW."updated_at" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."updated_at") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."updated_at")) || '"}' ELSE 'null' END || '}') || '}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
CREATE TRIGGER "communicator_posts_update" AFTER UPDATE ON "posts"
WHEN ((typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") OR (1 = 0 OR (typeof(OLD."title") <> typeof(NEW."title") OR OLD."title" COLLATE BINARY IS NOT NEW."title") OR (typeof(OLD."body") <> typeof(NEW."body") OR OLD."body" COLLATE BINARY IS NOT NEW."body") OR (typeof(OLD."user_id") <> typeof(NEW."user_id") OR OLD."user_id" COLLATE BINARY IS NOT NEW."user_id") OR (typeof(OLD."score") <> typeof(NEW."score") OR OLD."score" COLLATE BINARY IS NOT NEW."score") OR (typeof(OLD."published") <> typeof(NEW."published") OR OLD."published" COLLATE BINARY IS NOT NEW."published") OR (typeof(OLD."created_at") <> typeof(NEW."created_at") OR OLD."created_at" COLLATE BINARY IS NOT NEW."created_at") OR (typeof(OLD."updated_at") <> typeof(NEW."updated_at") OR OLD."updated_at" COLLATE BINARY IS NOT NEW."updated_at")))
    AND NOT EXISTS (SELECT 1 FROM communicator_applying
        WHERE name = 'posts')
BEGIN /* communicator af600f192f0eeeec */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    SELECT 'post', CAST(OLD."id" AS TEXT), 'delete', '{"post":' || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP
    WHERE (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") AND 1 = 1;
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, changed, clock,
            created_at, updated_at)
    VALUES ('post', CAST(NEW."id" AS TEXT),
        CASE WHEN (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") THEN 'create' ELSE 'update' END,
        '{"post":' || ('{"title":' || CASE typeof(NEW."title") WHEN 'text' THEN json_quote(NEW."title") WHEN 'integer' THEN NEW."title" WHEN 'real' THEN CASE NEW."title" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."title") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."title")) || '"}' ELSE 'null' END || ',"body":' || CASE typeof(NEW."body") WHEN 'text' THEN json_quote(NEW."body") WHEN 'integer' THEN NEW."body" WHEN 'real' THEN CASE NEW."body" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."body") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."body")) || '"}' ELSE 'null' END || ',"user_id":' || CASE typeof(NEW."user_id") WHEN 'text' THEN json_quote(NEW."user_id") WHEN 'integer' THEN NEW."user_id" WHEN 'real' THEN CASE NEW."user_id" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."user_id") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."user_id")) || '"}' ELSE 'null' END || ',"score":' || CASE typeof(NEW."score") WHEN 'text' THEN json_quote(NEW."score") WHEN 'integer' THEN NEW."score" WHEN 'real' THEN CASE NEW."score" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."score") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."score")) || '"}' ELSE 'null' END || ',"published":' || CASE typeof(NEW."published") WHEN 'text' THEN json_quote(NEW."published") WHEN 'integer' THEN NEW."published" WHEN 'real' THEN CASE NEW."published" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."published") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."published")) || '"}' ELSE 'null' END || ',"created_at":' || CASE typeof(NEW."created_at") WHEN 'text' THEN json_quote(NEW."created_at") WHEN 'integer' THEN NEW."created_at" WHEN 'real' THEN CASE NEW."created_at" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."created_at") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."created_at")) || '"}' ELSE 'null' END || ',"updated_at":' || CASE typeof(NEW."updated_at") WHEN 'text' THEN json_quote(NEW."updated_at") WHEN 'integer' THEN NEW."updated_at" WHEN 'real' THEN CASE NEW."updated_at" WHEN 9e999 THEN '"Infinity"' WHEN -9e999 THEN '"-Infinity"' ELSE printf('%!.26g', NEW."updated_at") END WHEN 'blob' THEN '{"hex":"' || lower(hex(NEW."updated_at")) || '"}' ELSE 'null' END || '}') || '}',
        CASE WHEN NOT (typeof(OLD."id") <> typeof(NEW."id") OR OLD."id" COLLATE BINARY IS NOT NEW."id") THEN '[' || substr(('' || CASE WHEN (typeof(OLD."title") <> typeof(NEW."title") OR OLD."title" COLLATE BINARY IS NOT NEW."title") THEN ',"title"' ELSE '' END || CASE WHEN (typeof(OLD."body") <> typeof(NEW."body") OR OLD."body" COLLATE BINARY IS NOT NEW."body") THEN ',"body"' ELSE '' END || CASE WHEN (typeof(OLD."user_id") <> typeof(NEW."user_id") OR OLD."user_id" COLLATE BINARY IS NOT NEW."user_id") THEN ',"user_id"' ELSE '' END || CASE WHEN (typeof(OLD."score") <> typeof(NEW."score") OR OLD."score" COLLATE BINARY IS NOT NEW."score") THEN ',"score"' ELSE '' END || CASE WHEN (typeof(OLD."published") <> typeof(NEW."published") OR OLD."published" COLLATE BINARY IS NOT NEW."published") THEN ',"published"' ELSE '' END || CASE WHEN (typeof(OLD."created_at") <> typeof(NEW."created_at") OR OLD."created_at" COLLATE BINARY IS NOT NEW."created_at") THEN ',"created_at"' ELSE '' END || CASE WHEN (typeof(OLD."updated_at") <> typeof(NEW."updated_at") OR OLD."updated_at" COLLATE BINARY IS NOT NEW."updated_at") THEN ',"updated_at"' ELSE '' END), 2) || ']'
        END,
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
CREATE TRIGGER "communicator_posts_delete" AFTER DELETE ON "posts"
WHEN NOT EXISTS (SELECT 1 FROM communicator_applying
    WHERE name IN ('posts', 'posts' || char(31) || CAST(OLD."id" AS TEXT)))
BEGIN /* communicator af600f192f0eeeec */
    INSERT INTO outbound_messages
        (model, local_record_id, action, body, clock,
            created_at, updated_at)
    VALUES ('post', CAST(OLD."id" AS TEXT), 'delete', '{"post":' || '{}}',
        CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER)
            * 1000, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP);
END;
COMMIT;
