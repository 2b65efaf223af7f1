/* The table of directives: what an operator may write.
 *
 * CM_DIRECTIVE(id, name, reader, least, most, usage, help)
 *
 * READER: BOTH programs; CLIENT: only communicator-sync; BORROWED: directives
 * of httpd that communicator-sync understands, too. LEAST, MOST: how many words
 * follow the name (MOST 0: any number). HELP states the default.
 *
 * Included several times, so without a guard: in directive.c and .h, and for
 * the module's command table. All are allowed in the server and in virtual
 * hosts, but not in sections. */
CM_DIRECTIVE(NAME, "CommunicatorName", BOTH, 1, 1, "NAME",
             "name of this node, as its peers know it; no default")
CM_DIRECTIVE(DRIVER, "DBDriver", BORROWED, 1, 1, "sqlite3|pgsql|mysql",
             "driver of the database, as for mod_dbd; no default")
CM_DIRECTIVE(PARAMS, "DBDParams", BORROWED, 1, 1, "PARAMETERS",
             "how to connect to it, as for mod_dbd; no default")
CM_DIRECTIVE(
    PEER, "CommunicatorPeer", BOTH, 1, 0,
    "NAME [uri=URL] [user=NAME] [password-file=FILE] [ca-file=FILE] "
    "[cert=FILE] [key=FILE] [key-password-file=FILE] "
    "[proxy=URL|none] [proxy-user-file=FILE] "
    "[insecure=yes|no] [compress=auto|yes|no] [protocol=communicator|gem] "
    "[times=utc|local]",
    "another node: with uri= this node connects to it; without, it "
    "logs in here as user=")
CM_DIRECTIVE(
    MODEL, "CommunicatorModel", BOTH, 1, 0,
    "NAME table=TABLE [key=COLUMN] [direction=both|receive|publish] "
    "[class=CLASS] [publish=triggers|application] "
    "[except=COLUMN,...] [except-receive=COLUMN,...] [only=COLUMN,...] "
    "[references=COLUMN:MODEL|COLUMN:{COLUMN}[?NONE],...] "
    "[keys=mapped|shared] [newkey=default|max] [match=COLUMN,...] "
    "[conflict=newest|NODE|hold] "
    "[deletes=yes|no] [where=SQL] [leave=keep|delete]",
    "a kind of record: its name, which both nodes use, and its table here; "
    "defaults: key=id direction=both keys=mapped conflict=newest "
    "deletes=yes")
CM_DIRECTIVE(
    AFTER_APPLY, "CommunicatorAfterApply", BOTH, 2, 2, "MODEL[,MODEL...] SQL",
    "a statement to run after messages have changed records of these models; "
    "default none")
CM_DIRECTIVE(REQUIRE_TLS, "CommunicatorRequireTLS", BOTH, 1, 0,
             "On|Off|HEADER [PROXY...]",
             "refuse plain HTTP, except from this host; or, behind proxies "
             "that end TLS, what their HEADER does not call https; default On")
CM_DIRECTIVE(MAX_BODY, "CommunicatorMaxBody", BOTH, 1, 1, "BYTES[K|M|G]",
             "largest body of a request or reply; default 16M")
CM_DIRECTIVE(
    BATCH, "CommunicatorBatch", BOTH, 1, 2, "MESSAGES [BYTES[K|M|G]]",
    "how many messages and bytes are sent at once, at most; default 1200 1M")
CM_DIRECTIVE(ON_ERROR, "CommunicatorOnError", BOTH, 1, 1, "park|stop",
             "what to do with a message that cannot be applied: park it, or "
             "stop until it can be; default park")
CM_DIRECTIVE(EXPECT_EVERY, "CommunicatorExpectEvery", BOTH, 1, 1,
             "TIME(ms|s|min|h|d|w)|off",
             "how often each peer should call; if it does not, status warns; "
             "default off")
CM_DIRECTIVE(HISTORY, "CommunicatorHistory", BOTH, 1, 1, "packed|rows|none",
             "how received messages are kept once they are applied; default "
             "packed, or rows in a database upgraded from the gem")
CM_DIRECTIVE(RETAIN, "CommunicatorRetain", BOTH, 1, 1,
             "TIME(ms|s|min|h|d|w)|forever",
             "how long confirmed messages are kept; default 30d")
CM_DIRECTIVE(WAITERS, "CommunicatorWaiters", BOTH, 1, 1, "NUMBER",
             "how many requests may wait for the next message in each process "
             "of httpd, but not more than half of its threads; default 8")
CM_DIRECTIVE(STATE_DIR, "CommunicatorStateDir", CLIENT, 1, 1, "DIRECTORY",
             "where communicator-sync records its last runs; default "
             "/var/lib/communicator")
CM_DIRECTIVE(RUN_DIR, "CommunicatorRunDir", CLIENT, 1, 1, "DIRECTORY",
             "where its lock files are; default /run/communicator")
CM_DIRECTIVE(AFTER_COMMAND, "CommunicatorAfterApplyCommand", CLIENT, 1, 1,
             "COMMAND",
             "a program to run after messages have changed records, with the "
             "names of their models; default none")
CM_DIRECTIVE(
    NOTIFY_COMMAND, "CommunicatorNotifyCommand", CLIENT, 1, 1, "COMMAND",
    "a program to run when a problem starts and when it ends; default none")
CM_DIRECTIVE(
    INCLUDE, "Include", BORROWED, 1, 1, "FILE|DIRECTORY|PATTERN",
    "read more files; relative to this file (httpd has its own Include)")
