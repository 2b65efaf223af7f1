/* The table of directives: what an operator may write, for both readers.
 *
 * CM_DIRECTIVE(id, name, reader, least, most, usage, help)
 *
 * READER: BOTH; CLIENT for communicator-sync alone; BORROWED for lines of
 * other modules of httpd that the client understands too. LEAST, MOST: how many
 * words follow the name (MOST 0: any number). HELP states the default.
 *
 * Included several times, so without a guard: directive.c takes the words,
 * the module makes its command table from it. Every one of these stands in
 * the server or virtual host, outside of any section. */
CM_DIRECTIVE(NAME, "CommunicatorName", BOTH, 1, 1, "NAME",
             "name of this node, as its peers know it; no default")
CM_DIRECTIVE(DRIVER, "DBDriver", BORROWED, 1, 1, "sqlite3|pgsql|mysql",
             "the database, in mod_dbd's words; no default")
CM_DIRECTIVE(PARAMS, "DBDParams", BORROWED, 1, 1, "PARAMETERS",
             "how to connect to it, in mod_dbd's words; no default")
CM_DIRECTIVE(PEER, "CommunicatorPeer", BOTH, 1, 0,
             "NAME [uri=URL] [user=NAME] [password-file=FILE] [ca-file=FILE] "
             "[insecure=yes|no] [compress=auto|yes|no]",
             "another node: uri= when we connect to it, user= alone when it "
             "logs in here as that user")
CM_DIRECTIVE(MODEL, "CommunicatorModel", BOTH, 1, 0,
             "NAME table=TABLE [key=COLUMN] [direction=both|receive|publish] "
             "[except=COLUMN,...] [only=COLUMN,...] "
             "[references=COLUMN:MODEL,...] [keys=mapped|shared] "
             "[match=COLUMN,...] [conflict=newest|NODE|hold] "
             "[deletes=yes|no]",
             "a kind of record: its name on the wire and its table here; "
             "defaults: key=id direction=both keys=mapped conflict=newest "
             "deletes=yes")
CM_DIRECTIVE(REQUIRE_TLS, "CommunicatorRequireTLS", BOTH, 1, 1, "On|Off",
             "refuse plain HTTP but from loopback; default On")
CM_DIRECTIVE(MAX_BODY, "CommunicatorMaxBody", BOTH, 1, 1, "BYTES[K|M|G]",
             "largest body of a request or reply; default 16M")
CM_DIRECTIVE(BATCH, "CommunicatorBatch", BOTH, 1, 2, "MESSAGES [BYTES[K|M|G]]",
             "most messages and bytes that go over the wire at once; "
             "default 800 1M")
CM_DIRECTIVE(ON_ERROR, "CommunicatorOnError", BOTH, 1, 1, "park|stop",
             "what becomes of a message that cannot be applied: set aside, "
             "or all wait behind it; default park")
CM_DIRECTIVE(EXPECT_EVERY, "CommunicatorExpectEvery", BOTH, 1, 1,
             "TIME(ms|s|min|h|d|w)|off",
             "how often a peer should be heard of, else status warns; "
             "default off")
CM_DIRECTIVE(RETAIN, "CommunicatorRetain", BOTH, 1, 1,
             "TIME(ms|s|min|h|d|w)|forever",
             "how long confirmed messages are kept; default 30d")
CM_DIRECTIVE(STATE_DIR, "CommunicatorStateDir", CLIENT, 1, 1, "DIRECTORY",
             "where communicator-sync remembers its last runs; default "
             "/var/lib/communicator")
CM_DIRECTIVE(RUN_DIR, "CommunicatorRunDir", CLIENT, 1, 1, "DIRECTORY",
             "where its locks are; default /run/communicator")
CM_DIRECTIVE(NOTIFY_COMMAND, "CommunicatorNotifyCommand", CLIENT, 1, 1,
             "COMMAND",
             "a program to run when a trouble begins and ends; default none")
CM_DIRECTIVE(INCLUDE, "Include", BORROWED, 1, 1, "FILE|DIRECTORY|PATTERN",
             "read more lines, from beside this file; httpd has its own")
