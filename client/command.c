/* The commands of communicator-sync: see command.h. */
#include "command.h"

#include <string.h>

const sync_command_t sync_commands[] = {
    {"communicate", sync_command_sync_both, SYNC_FOR_SYNC, 0, "",
     "push, then pull (the default)",
     "\nSilent when all is well and stdout is not a terminal. That another run "
     "is at work\nis not a failure: it does the work. From cron and timers: "
     "--cron.\n"},
    {"push", sync_command_sync_push, SYNC_FOR_SYNC, 0, "",
     "send what changed here", ""},
    {"pull", sync_command_sync_pull, SYNC_FOR_SYNC, 0, "",
     "fetch and apply what changed there", ""},
    {"status", sync_command_status, SYNC_FOR_STATUS, 1,
     "[--watch [TIME]|--history [NUMBER]|--nagios|--prometheus]",
     "show the state of both sides",
     "\nFigures of the peer are those of the last pull.\n"},
    {"check", sync_command_check, SYNC_FOR_REMOTE, 0, "",
     "test the whole way, and say what to do", ""},
    {"models", sync_command_models, SYNC_FOR_MODELS, 0, "[--write FILE|--diff]",
     "propose the configuration of all tables",
     "\nPrints a CommunicatorModel line for each table of the database, "
     "parents first;\ncomments say what to decide, and which tables are left "
     "out and why.\n"},
    {"migrate", sync_command_migrate, SYNC_FOR_MIGRATE, 1,
     "[--dry-run] [--drop-triggers [MODEL]]",
     "create or upgrade tables and triggers",
     "\nMay be run again at any time, and after any failure. Changes that are "
     "made\nbetween --drop-triggers and the next migrate are not published.\n"},
    {"publish", sync_command_publish, SYNC_FOR_PUBLISH, -1,
     "[MODEL] [ID...|--all [--missing]|--where SQL]",
     "queue records: first load, repair",
     "\nThe records keep their clocks, so nothing newer is overwritten. --all "
     "without a\nmodel publishes all models, parents first.\n"},
    {"verify", sync_command_verify, SYNC_FOR_REMOTE | SYNC_FOR_VERIFY, -1,
     "[MODEL...] [--repair [--from SIDE]]",
     "prove that both sides hold the same records",
     "\nReads both databases in small parts, and may run at any time. Exits "
     "with 65 when\nrecords differ, with 75 when some are only under way.\n"},
    {"parked", sync_command_parked, 0, 0, "",
     "list the messages that cannot be applied or sent, and why", ""},
    {"retry", sync_command_parked_retry, SYNC_FOR_LOCK, -1, "[PEER ID...]",
     "try again to apply what is parked and send what is withheld",
     "\nMessages named by ID are applied even where conflict=hold parks them. "
     "sent:ID is\na message of this node that is withheld from PEER.\n"},
    {"discard", sync_command_parked_discard, SYNC_FOR_LOCK, -1, "PEER ID...",
     "give up on messages that are parked or withheld",
     "\nThey are kept in communicator_conflicts. Messages that wait behind "
     "them go on.\n"},
    {"revive", sync_command_revive, SYNC_FOR_LOCK | SYNC_FOR_REMOTE, 3,
     "MODEL [ORIGIN] ID", "let a record live again that one side deleted",
     "\nWhere its row still is, because the delete is parked or was discarded, "
     "the row\nbecomes a new record and is sent to all. ID is the key here; "
     "with "
     "ORIGIN, the id\non that node.\n"},
    {"explain", sync_command_explain, 0, 3, "MODEL [ORIGIN] ID",
     "show what happened to one record",
     "\nID is the key here; with ORIGIN, the id on that node.\n"},
    {"history", sync_command_history, SYNC_FOR_HISTORY, 0, "",
     "list what was sent and received",
     "\nNewest first. What CommunicatorRetain has purged is not listed; with "
     "--json each\nmessage has its body.\n"},
    {"pause", sync_command_pause, SYNC_FOR_REMOTE, 0, "",
     "stop all messages, here and at the peers", ""},
    {"resume", sync_command_pause_end, SYNC_FOR_REMOTE, 0, "",
     "go on after pause", ""},
    {"drain", sync_command_drain,
     SYNC_FOR_DRAIN | SYNC_FOR_REMOTE | SYNC_FOR_LOCK, 0, "",
     "move everything, and prove that nothing is left",
     "\nWorks while paused. 0 only when both queues are empty and nothing is "
     "parked.\n"},
    {"purge", sync_command_purge, SYNC_FOR_PURGE, 0,
     "[--older-than AGE|--all] [--force]",
     "remove messages that have done their work",
     "\nOnly what every peer has confirmed, unless --force. CommunicatorRetain "
     "says what\nruns purge by themselves.\n"},
    {"epoch", sync_command_epoch, SYNC_FOR_EPOCH, 0, "[--new|--accept PEER]",
     "show which histories are known, or begin a new one",
     "\nAfter a database was restored from a backup or created again, recover "
     "does all of it.\nBy hand: --new there, --accept at its peers, then "
     "publish all records at both.\n"},
    {"recover", sync_command_recover,
     SYNC_FOR_LOCK | SYNC_FOR_REMOTE | SYNC_FOR_RECOVER, 0, "[--yes]",
     "go on together after a restore or a failover",
     "\nWhere a database has lost messages that the other side has: says what "
     "it will do,\nasks, lets the side that lost them begin a new history, "
     "publishes all records on\nboth sides, runs, and verifies. From the side "
     "that connects.\n"},
    {"configtest", sync_command_configtest, SYNC_FOR_CONFIGTEST, 0, "[--dump]",
     "read the configuration, and show it", ""},
    {"help", NULL, 0, 1, "[COMMAND]", "show what a command does", ""},
    {NULL, NULL, 0, 0, NULL, NULL, NULL}};

const sync_command_t *sync_command_find(const char *name)
{
    const sync_command_t *command;

    for (command = sync_commands; command->name; command++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}
