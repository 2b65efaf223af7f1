-- A node of Communicator 0.9, as `mariadb-dump` wrote it: with
-- messages that are confirmed, numbered, not numbered, parked.
-- t/lib/Communicator/Test/Old.pm loads it.

CREATE TABLE `communicator_conflicts` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `model` varchar(255) NOT NULL,
  `local_record_id` varchar(255) DEFAULT NULL,
  `origin` varchar(255) DEFAULT NULL,
  `original_id` varchar(255) DEFAULT NULL,
  `column_name` varchar(255) DEFAULT NULL,
  `lost_value` longtext DEFAULT NULL,
  `lost_clock` bigint(20) DEFAULT NULL,
  `won_value` longtext DEFAULT NULL,
  `won_clock` bigint(20) DEFAULT NULL,
  `peer` varchar(255) DEFAULT NULL,
  `message_id` bigint(20) DEFAULT NULL,
  `resolved_at` bigint(20) DEFAULT NULL,
  `created_at` bigint(20) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `communicator_conflicts_record_index` (`model`,`local_record_id`)
) ENGINE=InnoDB AUTO_INCREMENT=2 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `communicator_conflicts` VALUES (1,'post','1','central','1','title','\"first here\"',1795846133791696,'\"first there\"',1795846133807582,'facade',4,NULL,1795846133884605);
CREATE TABLE `communicator_mappings` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `origin` varchar(255) NOT NULL,
  `original_id` varchar(255) NOT NULL,
  `local_record_type` varchar(255) NOT NULL,
  `local_record_id` varchar(255) DEFAULT NULL,
  `clock` bigint(20) NOT NULL DEFAULT 0,
  `clocks` mediumtext DEFAULT NULL,
  `deleted_at` bigint(20) NOT NULL DEFAULT 0,
  `same_as` bigint(20) DEFAULT NULL,
  `created_at` datetime(6) DEFAULT utc_timestamp(6),
  `updated_at` datetime(6) DEFAULT utc_timestamp(6),
  PRIMARY KEY (`id`),
  UNIQUE KEY `remote_record_unique_index` (`local_record_type`,`origin`,`original_id`),
  UNIQUE KEY `local_record_unique_index` (`local_record_type`,`local_record_id`)
) ENGINE=InnoDB AUTO_INCREMENT=11 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `communicator_mappings` VALUES (1,'central','5','User','5',1795846133527541,NULL,0,NULL,'2026-11-28 06:08:53.587972','2026-11-28 06:08:53.587972');
INSERT INTO `communicator_mappings` VALUES (2,'central','6','User','6',1795846133527541,NULL,0,NULL,'2026-11-28 06:08:53.587972','2026-11-28 06:08:53.587972');
INSERT INTO `communicator_mappings` VALUES (3,'central','1','Post','1',1795846133807582,'[1795846133557994,\"body\",\"created_at\",\"published\",\"updated_at\",\"user_id\"]',0,NULL,'2026-11-28 06:08:53.587972','2026-11-28 06:08:53.587972');
INSERT INTO `communicator_mappings` VALUES (4,'central','2','Post',NULL,1795846133844357,NULL,1795846133844357,NULL,'2026-11-28 06:08:53.587972','2026-11-28 06:08:53.587972');
INSERT INTO `communicator_mappings` VALUES (5,'central','3','Post','3',1795846134053829,'[1795846133827044,\"body\",1795846133557994,\"created_at\",\"published\",\"title\",\"updated_at\",\"user_id\"]',0,NULL,'2026-11-28 06:08:53.588127','2026-11-28 06:08:53.588127');
INSERT INTO `communicator_mappings` VALUES (6,'facade','3','User','7',1795846133626172,NULL,0,NULL,'2026-11-28 06:08:53.701173','2026-11-28 06:08:53.701173');
INSERT INTO `communicator_mappings` VALUES (7,'facade','4','Post',NULL,1795846134075695,NULL,1795846134075695,NULL,'2026-11-28 06:08:53.701366','2026-11-28 06:08:53.701366');
INSERT INTO `communicator_mappings` VALUES (8,'central','8','User','8',1795846133733040,NULL,0,NULL,'2026-11-28 06:08:53.761005','2026-11-28 06:08:53.761005');
INSERT INTO `communicator_mappings` VALUES (9,'facade','4','User',NULL,0,NULL,0,8,'2026-11-28 06:08:53.768324','2026-11-28 06:08:53.768324');
INSERT INTO `communicator_mappings` VALUES (10,'central','5','Post','5',1795846134054419,NULL,0,NULL,'2026-11-28 06:08:54.101793','2026-11-28 06:08:54.101793');
CREATE TABLE `communicator_missing` (
  `model` varchar(255) NOT NULL,
  `local_record_id` varchar(255) NOT NULL,
  PRIMARY KEY (`model`,`local_record_id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
CREATE TABLE `communicator_node` (
  `id` int(11) NOT NULL,
  `epoch` varchar(32) NOT NULL,
  `last_seq` bigint(20) NOT NULL DEFAULT 0,
  `migrated_seq` bigint(20) NOT NULL DEFAULT 0,
  `life` int(11) NOT NULL DEFAULT 1,
  `mappings_version` bigint(20) NOT NULL DEFAULT 0,
  `paused_at` bigint(20) NOT NULL DEFAULT 0,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `communicator_node` VALUES (1,'7e05dafc8fc076c99b50031cfbb706b5',11,0,1,10,0);
CREATE TABLE `communicator_peers` (
  `name` varchar(255) NOT NULL,
  `epoch` varchar(32) DEFAULT NULL,
  `confirmed` bigint(20) NOT NULL DEFAULT 0,
  `confirmed_id` bigint(20) NOT NULL DEFAULT 0,
  `received` bigint(20) NOT NULL DEFAULT 0,
  `held` bigint(20) NOT NULL DEFAULT 0,
  `received_clock` bigint(20) NOT NULL DEFAULT 0,
  `sent` bigint(20) NOT NULL DEFAULT 0,
  `has_received` int(11) NOT NULL DEFAULT 0,
  `last_push_at` bigint(20) NOT NULL DEFAULT 0,
  `last_pull_at` bigint(20) NOT NULL DEFAULT 0,
  `clock_offset` bigint(20) NOT NULL DEFAULT 0,
  `status` mediumtext DEFAULT NULL,
  PRIMARY KEY (`name`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `communicator_peers` VALUES ('facade','9c1fc4cd547a058c3f6fedf2e4a0e502',8,8,7,7,1795846133952604,8,1,1795846133873629,1795846133984897,529,'{\"at\":1795846133984723,\"gem\":0,\"pending\":0,\"oldest\":0,\"parked\":0}');
CREATE TABLE `communicator_schema` (
  `version` int(11) NOT NULL,
  `name` varchar(255) NOT NULL,
  `applied_at` bigint(20) NOT NULL,
  PRIMARY KEY (`version`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `communicator_schema` VALUES (1,'001-create.sql',1795846132888630);
CREATE TABLE `inbound_messages` (
  `peer` varchar(255) NOT NULL DEFAULT '',
  `id` bigint(20) NOT NULL,
  `model` varchar(255) DEFAULT NULL,
  `origin` varchar(255) DEFAULT NULL,
  `original_id` varchar(255) DEFAULT NULL,
  `action` varchar(10) DEFAULT NULL,
  `body` longtext DEFAULT NULL,
  `clock` bigint(20) DEFAULT NULL,
  `clocks` mediumtext DEFAULT NULL,
  `base` mediumtext DEFAULT NULL,
  `refs` mediumtext DEFAULT NULL,
  `received_at` bigint(20) DEFAULT NULL,
  `processed_at` datetime(6) DEFAULT NULL,
  `attempts` int(11) NOT NULL DEFAULT 0,
  `error` mediumtext DEFAULT NULL,
  `transient` int(11) NOT NULL DEFAULT 0,
  `created_at` datetime(6) DEFAULT utc_timestamp(6),
  `updated_at` datetime(6) DEFAULT utc_timestamp(6),
  PRIMARY KEY (`peer`,`id`),
  KEY `inbound_messages_parked_index` (`processed_at`,`peer`,`id`)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `inbound_messages` VALUES ('facade',1,'user','facade','3','create','{\"user\":{\"name\":\"carl\"}}',1795846133626172,NULL,NULL,NULL,1795846133694062,'2026-11-28 06:08:53.701443',1,NULL,0,'2026-11-28 06:08:53.701500','2026-11-28 06:08:53.701500');
INSERT INTO `inbound_messages` VALUES ('facade',2,'post','facade','4','create','{\"post\":{\"title\":\"theirs\",\"body\":\"from there\",\"user_id\":3,\"score\":\"3.00\",\"published\":true,\"created_at\":\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}',1795846133659309,NULL,NULL,'{\"user_id\":{\"model\":\"user\",\"origin\":\"facade\",\"original_id\":3}}',1795846133694062,'2026-11-28 06:08:53.701443',1,NULL,0,'2026-11-28 06:08:53.701538','2026-11-28 06:08:53.701538');
INSERT INTO `inbound_messages` VALUES ('facade',3,'user','facade','4','create','{\"user\":{\"name\":\"dora\"}}',1795846133733040,NULL,NULL,NULL,1795846133767570,'2026-11-28 06:08:53.768765',1,NULL,0,'2026-11-28 06:08:53.768825','2026-11-28 06:08:53.768825');
INSERT INTO `inbound_messages` VALUES ('facade',4,'post','central','1','update','{\"post\":{\"title\":\"first there\",\"body\":\"It\'s €5\",\"user_id\":1,\"score\":\"9.00\",\"published\":true,\"created_at\":\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}',1795846133807582,'[1795846133557994,\"body\",\"created_at\",\"published\",\"updated_at\",\"user_id\"]','1795846133557994','{\"user_id\":{\"model\":\"user\",\"origin\":\"central\",\"original_id\":5}}',1795846133877526,'2026-11-28 06:08:53.884905',1,NULL,0,'2026-11-28 06:08:53.885050','2026-11-28 06:08:53.885050');
INSERT INTO `inbound_messages` VALUES ('facade',5,'post','central','3','update','{\"post\":{\"title\":\"third\",\"body\":\"changed there\",\"user_id\":1,\"score\":\"2.00\",\"published\":true,\"created_at\":\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}',1795846133827044,'[1795846133557994,\"created_at\",\"published\",\"score\",\"title\",\"updated_at\",\"user_id\"]','1795846133557994','{\"user_id\":{\"model\":\"user\",\"origin\":\"central\",\"original_id\":5}}',1795846133877526,'2026-11-28 06:08:53.884905',1,NULL,0,'2026-11-28 06:08:53.885152','2026-11-28 06:08:53.885152');
INSERT INTO `inbound_messages` VALUES ('facade',6,'post','facade','5','create','{\"post\":{\"title\":null,\"body\":\"without a title\",\"user_id\":3,\"score\":\"3.00\",\"published\":true,\"created_at\":\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}',1795846133935059,NULL,NULL,'{\"user_id\":{\"model\":\"user\",\"origin\":\"facade\",\"original_id\":3}}',1795846133976799,NULL,2,'column \'title\' may not be NULL',0,'2026-11-28 06:08:53.982750','2026-11-28 06:08:53.982750');
INSERT INTO `inbound_messages` VALUES ('facade',7,'post','facade','5','update','{\"post\":{\"title\":null,\"body\":\"still without\",\"user_id\":3,\"score\":\"3.00\",\"published\":true,\"created_at\":\"2026-01-02T03:04:05Z\",\"updated_at\":\"2026-01-02T03:04:05Z\"}}',1795846133952604,'[1795846133935059,\"created_at\",\"published\",\"score\",\"title\",\"updated_at\",\"user_id\"]','1795846133935059','{\"user_id\":{\"model\":\"user\",\"origin\":\"facade\",\"original_id\":3}}',1795846133976799,NULL,2,'message 6 of the same record is parked',1,'2026-11-28 06:08:53.982900','2026-11-28 06:08:53.982900');
CREATE TABLE `outbound_messages` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `seq` bigint(20) DEFAULT NULL,
  `model` varchar(255) DEFAULT NULL,
  `local_record_id` varchar(255) DEFAULT NULL,
  `action` varchar(10) DEFAULT NULL,
  `body` longtext NOT NULL,
  `changed` mediumtext DEFAULT NULL,
  `clock` bigint(20) DEFAULT NULL,
  `clocks` mediumtext DEFAULT NULL,
  `base` mediumtext DEFAULT NULL,
  `refs` mediumtext DEFAULT NULL,
  `origin` varchar(255) DEFAULT NULL,
  `original_id` varchar(255) DEFAULT NULL,
  `source` varchar(255) DEFAULT NULL,
  `created_at` datetime(6) DEFAULT utc_timestamp(6),
  `updated_at` datetime(6) DEFAULT utc_timestamp(6),
  `delivered_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `outbound_messages_seq_index` (`seq`)
) ENGINE=InnoDB AUTO_INCREMENT=15 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_nopad_bin ROW_FORMAT=DYNAMIC;
INSERT INTO `outbound_messages` VALUES (1,1,'user','5','create','{\"user\":{\"name\": \"ann\"}}',NULL,1795846133527541,NULL,NULL,NULL,'central','5',NULL,'2026-11-28 06:08:53.527541','2026-11-28 06:08:53.527541','2026-11-28 06:08:53.588147');
INSERT INTO `outbound_messages` VALUES (2,2,'user','6','create','{\"user\":{\"name\": \"bob\"}}',NULL,1795846133527541,NULL,NULL,NULL,'central','6',NULL,'2026-11-28 06:08:53.527541','2026-11-28 06:08:53.527541','2026-11-28 06:08:53.588147');
INSERT INTO `outbound_messages` VALUES (3,3,'post','1','create','{\"post\":{\"title\": \"first\", \"body\": \"It\'s €5\", \"user_id\": 5, \"score\": 1.50, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}',NULL,1795846133557994,NULL,NULL,NULL,'central','1',NULL,'2026-11-28 06:08:53.557994','2026-11-28 06:08:53.557994','2026-11-28 06:08:53.588147');
INSERT INTO `outbound_messages` VALUES (4,4,'post','2','create','{\"post\":{\"title\": \"second\", \"body\": null, \"user_id\": null, \"score\": null, \"published\": null, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}',NULL,1795846133557994,NULL,NULL,NULL,'central','2',NULL,'2026-11-28 06:08:53.557994','2026-11-28 06:08:53.557994','2026-11-28 06:08:53.588147');
INSERT INTO `outbound_messages` VALUES (5,5,'post','3','create','{\"post\":{\"title\": \"third\", \"body\": \"x\", \"user_id\": 5, \"score\": 2.00, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}',NULL,1795846133557994,NULL,NULL,NULL,'central','3',NULL,'2026-11-28 06:08:53.557994','2026-11-28 06:08:53.557994','2026-11-28 06:08:53.588147');
INSERT INTO `outbound_messages` VALUES (6,6,'user','8','create','{\"user\":{\"name\": \"dora\"}}',NULL,1795846133719731,NULL,NULL,NULL,'central','8',NULL,'2026-11-28 06:08:53.719731','2026-11-28 06:08:53.719731','2026-11-28 06:08:53.761058');
INSERT INTO `outbound_messages` VALUES (7,7,'post','1','update','{\"post\":{\"title\": \"first here\", \"body\": \"It\'s €5\", \"user_id\": 5, \"score\": 1.50, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}','[\"title\"]',1795846133791696,'[1795846133557994,\"body\",\"created_at\",\"published\",\"score\",\"updated_at\",\"user_id\"]','1795846133557994',NULL,'central','1',NULL,'2026-11-28 06:08:53.791696','2026-11-28 06:08:53.791696','2026-11-28 06:08:53.868742');
INSERT INTO `outbound_messages` VALUES (8,8,'post','2','delete','{\"post\":{}}',NULL,1795846133844357,NULL,'1795846133557994',NULL,'central','2',NULL,'2026-11-28 06:08:53.844357','2026-11-28 06:08:53.844357','2026-11-28 06:08:53.868742');
INSERT INTO `outbound_messages` VALUES (9,9,'post','3','update','{\"post\":{\"title\": \"third\", \"body\": \"changed there\", \"user_id\": 5, \"score\": 4.00, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}','[\"score\"]',1795846134053829,'[1795846133827044,\"body\",1795846133557994,\"created_at\",\"published\",\"title\",\"updated_at\",\"user_id\"]','1795846133557994',NULL,'central','3',NULL,'2026-11-28 06:08:54.053829','2026-11-28 06:08:54.053829','2026-11-28 06:08:54.101836');
INSERT INTO `outbound_messages` VALUES (10,10,'post','5','create','{\"post\":{\"title\": \"fourth\", \"body\": \"numbered\", \"user_id\": 5, \"score\": 4.00, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}',NULL,1795846134054419,NULL,NULL,NULL,'central','5',NULL,'2026-11-28 06:08:54.054419','2026-11-28 06:08:54.054419','2026-11-28 06:08:54.101836');
INSERT INTO `outbound_messages` VALUES (11,11,'post','4','delete','{\"post\":{}}',NULL,1795846134075695,NULL,'1795846133659309',NULL,'facade','4',NULL,'2026-11-28 06:08:54.075695','2026-11-28 06:08:54.075695','2026-11-28 06:08:54.101836');
INSERT INTO `outbound_messages` VALUES (12,NULL,'post','5','update','{\"post\":{\"title\": \"fourth\", \"body\": \"not numbered\", \"user_id\": 5, \"score\": 4.00, \"published\": 1, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}','[\"body\"]',1795846134167389,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:54.167389','2026-11-28 06:08:54.167389',NULL);
INSERT INTO `outbound_messages` VALUES (13,NULL,'user','9','create','{\"user\":{\"name\": \"emil\"}}',NULL,1795846134167883,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:54.167883','2026-11-28 06:08:54.167883',NULL);
INSERT INTO `outbound_messages` VALUES (14,NULL,'post','6','create','{\"post\":{\"title\": \"fifth\", \"body\": \"of emil\", \"user_id\": 9, \"score\": 5.00, \"published\": null, \"created_at\": \"2026-01-02 03:04:05.000000\", \"updated_at\": \"2026-01-02 03:04:05.000000\"}}',NULL,1795846134214474,NULL,NULL,NULL,NULL,NULL,NULL,'2026-11-28 06:08:54.214474','2026-11-28 06:08:54.214474',NULL);
CREATE TABLE `posts` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `title` varchar(255) NOT NULL,
  `body` longtext DEFAULT NULL,
  `user_id` bigint(20) DEFAULT NULL,
  `score` decimal(12,2) DEFAULT NULL,
  `published` tinyint(1) DEFAULT NULL,
  `created_at` datetime(6) DEFAULT NULL,
  `updated_at` datetime(6) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=7 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `posts` VALUES (1,'first there','It\'s €5',5,9.00,1,'2026-01-02 03:04:05.000000','2026-01-02 03:04:05.000000');
INSERT INTO `posts` VALUES (3,'third','changed there',5,4.00,1,'2026-01-02 03:04:05.000000','2026-01-02 03:04:05.000000');
INSERT INTO `posts` VALUES (5,'fourth','not numbered',5,4.00,1,'2026-01-02 03:04:05.000000','2026-01-02 03:04:05.000000');
INSERT INTO `posts` VALUES (6,'fifth','of emil',9,5.00,NULL,'2026-01-02 03:04:05.000000','2026-01-02 03:04:05.000000');
DELIMITER ;;
CREATE TRIGGER `communicator_posts_insert` AFTER INSERT ON `posts` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator cc67b9329ab83d97';
    IF NOT (BINARY @communicator_applying <=> BINARY 'posts') THEN
        INSERT INTO `{database}`.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ('post', CAST(NEW.`id` AS CHAR CHARACTER SET utf8mb4), 'create',
            CONCAT('{"post":', JSON_OBJECT('title', NEW.`title`,'body', CAST(NEW.`body` AS CHAR CHARACTER SET utf8mb4),'user_id', NEW.`user_id`,'score', NEW.`score`,'published', NEW.`published`,'created_at', NEW.`created_at`,'updated_at', NEW.`updated_at`), '}'), TIMESTAMPDIFF(MICROSECOND,
                '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END;;
DELIMITER ;
DELIMITER ;;
CREATE TRIGGER `communicator_posts_update` AFTER UPDATE ON `posts` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator cc67b9329ab83d97';
    IF NOT (BINARY @communicator_applying <=> BINARY 'posts') THEN
    BEGIN
        DECLARE moved BOOLEAN DEFAULT NOT (OLD.`id` <=> NEW.`id`);
        DECLARE names LONGTEXT CHARACTER SET utf8mb4 DEFAULT CONCAT('', CASE WHEN NOT (BINARY OLD.`title` <=> BINARY NEW.`title`) THEN ',"title"' ELSE '' END, CASE WHEN NOT (BINARY OLD.`body` <=> BINARY NEW.`body`) THEN ',"body"' ELSE '' END, CASE WHEN NOT (OLD.`user_id` <=> NEW.`user_id`) THEN ',"user_id"' ELSE '' END, CASE WHEN NOT (OLD.`score` <=> NEW.`score`) THEN ',"score"' ELSE '' END, CASE WHEN NOT (OLD.`published` <=> NEW.`published`) THEN ',"published"' ELSE '' END, CASE WHEN NOT (OLD.`created_at` <=> NEW.`created_at`) THEN ',"created_at"' ELSE '' END, CASE WHEN NOT (OLD.`updated_at` <=> NEW.`updated_at`) THEN ',"updated_at"' ELSE '' END);
        DECLARE moment BIGINT DEFAULT
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
        IF moved AND 1 = 1 THEN
            INSERT INTO `{database}`.outbound_messages
                (model, local_record_id, action, body, clock)
            VALUES ('post', CAST(OLD.`id` AS CHAR CHARACTER SET utf8mb4), 'delete', CONCAT('{"post":', '{}}'),
                moment);
        END IF;
        IF moved OR names <> '' THEN
            INSERT INTO `{database}`.outbound_messages
                (model, local_record_id, action, body, changed, clock)
            VALUES ('post', CAST(NEW.`id` AS CHAR CHARACTER SET utf8mb4), IF(moved, 'create', 'update'),
                CONCAT('{"post":', JSON_OBJECT('title', NEW.`title`,'body', CAST(NEW.`body` AS CHAR CHARACTER SET utf8mb4),'user_id', NEW.`user_id`,'score', NEW.`score`,'published', NEW.`published`,'created_at', NEW.`created_at`,'updated_at', NEW.`updated_at`), '}'),
                IF(moved, NULL, CONCAT('[', SUBSTR(names, 2), ']')), moment);
        END IF;
    END;
    END IF;
END;;
DELIMITER ;
DELIMITER ;;
CREATE TRIGGER `communicator_posts_delete` AFTER DELETE ON `posts` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator cc67b9329ab83d97';
    IF NOT (BINARY @communicator_applying <=> BINARY 'posts') THEN
        INSERT INTO `{database}`.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ('post', CAST(OLD.`id` AS CHAR CHARACTER SET utf8mb4), 'delete', CONCAT('{"post":', '{}}'),
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END;;
DELIMITER ;
CREATE TABLE `users` (
  `id` bigint(20) NOT NULL AUTO_INCREMENT,
  `name` varchar(100) DEFAULT NULL,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB AUTO_INCREMENT=10 DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci;
INSERT INTO `users` VALUES (5,'ann');
INSERT INTO `users` VALUES (6,'bob');
INSERT INTO `users` VALUES (7,'carl');
INSERT INTO `users` VALUES (8,'dora');
INSERT INTO `users` VALUES (9,'emil');
DELIMITER ;;
CREATE TRIGGER `communicator_users_insert` AFTER INSERT ON `users` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator 6e800951469df3c9';
    IF NOT (BINARY @communicator_applying <=> BINARY 'users') THEN
        INSERT INTO `{database}`.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ('user', CAST(NEW.`id` AS CHAR CHARACTER SET utf8mb4), 'create',
            CONCAT('{"user":', JSON_OBJECT('name', NEW.`name`), '}'), TIMESTAMPDIFF(MICROSECOND,
                '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END;;
DELIMITER ;
DELIMITER ;;
CREATE TRIGGER `communicator_users_update` AFTER UPDATE ON `users` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator 6e800951469df3c9';
    IF NOT (BINARY @communicator_applying <=> BINARY 'users') THEN
    BEGIN
        DECLARE moved BOOLEAN DEFAULT NOT (OLD.`id` <=> NEW.`id`);
        DECLARE names LONGTEXT CHARACTER SET utf8mb4 DEFAULT CONCAT('', CASE WHEN NOT (BINARY OLD.`name` <=> BINARY NEW.`name`) THEN ',"name"' ELSE '' END);
        DECLARE moment BIGINT DEFAULT
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6));
        IF moved AND 1 = 1 THEN
            INSERT INTO `{database}`.outbound_messages
                (model, local_record_id, action, body, clock)
            VALUES ('user', CAST(OLD.`id` AS CHAR CHARACTER SET utf8mb4), 'delete', CONCAT('{"user":', '{}}'),
                moment);
        END IF;
        IF moved OR names <> '' THEN
            INSERT INTO `{database}`.outbound_messages
                (model, local_record_id, action, body, changed, clock)
            VALUES ('user', CAST(NEW.`id` AS CHAR CHARACTER SET utf8mb4), IF(moved, 'create', 'update'),
                CONCAT('{"user":', JSON_OBJECT('name', NEW.`name`), '}'),
                IF(moved, NULL, CONCAT('[', SUBSTR(names, 2), ']')), moment);
        END IF;
    END;
    END IF;
END;;
DELIMITER ;
DELIMITER ;;
CREATE TRIGGER `communicator_users_delete` AFTER DELETE ON `users` FOR EACH ROW
BEGIN
    DECLARE communicator_mark VARCHAR(80) DEFAULT 'communicator 6e800951469df3c9';
    IF NOT (BINARY @communicator_applying <=> BINARY 'users') THEN
        INSERT INTO `{database}`.outbound_messages
            (model, local_record_id, action, body, clock)
        VALUES ('user', CAST(OLD.`id` AS CHAR CHARACTER SET utf8mb4), 'delete', CONCAT('{"user":', '{}}'),
            TIMESTAMPDIFF(MICROSECOND, '1970-01-01', UTC_TIMESTAMP(6)));
    END IF;
END;;
DELIMITER ;
