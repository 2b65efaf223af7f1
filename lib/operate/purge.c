/* Purging: see purge.h. */
#include "operate/purge.h"

#include <string.h>

#include <apr_strings.h>

#include "base/clock.h"

#define CHUNK         5000
#define RETAIN_CHUNKS 4

/* A chunk of the history has at most CHUNK rows, and no more messages than
 * this: so it is some ten megabytes at most. */
#define CHUNK_MESSAGES 50000

/* How often a person's purge tries a chunk while the database is busy. Each
 * try waits by itself, on SQLite 10 s. */
#define TRIES 6

/* A message that is held back from a peer stays until that has ended. */
#define NOT_WITHHELD                                                           \
    "NOT EXISTS (SELECT 1 FROM communicator_withheld AS w"                     \
    " WHERE w.seq = outbound_messages.seq AND w.ended_at = 0)"

/* Find what the slowest of the peers has confirmed. */
static cm_error_t *find_floor(cm_purge_t *purge, cm_node_t *node,
                              apr_pool_t *pool)
{
    const apr_array_header_t *peers = node->settings->peers;
    apr_int64_t last_seq;
    int i;

    CM_TRY(cm_node_refresh(&last_seq, node, pool));
    purge->kept = last_seq;
    purge->slowest = NULL;
    for (i = 0; i < peers->nelts; i++) {
        const char *name =
            APR_ARRAY_IDX(peers, i, const cm_peer_settings_t *)->name;
        const cm_datum_t argument = cm_datum_text(name);
        apr_int64_t confirmed;

        CM_TRY(cm_statement_number(&confirmed, node->store,
                                   "SELECT confirmed FROM communicator_peers"
                                   " WHERE name = %s",
                                   &argument, 1, pool));
        if (purge->slowest && confirmed >= purge->kept)
            continue;
        purge->slowest = name;
        purge->kept = confirmed;
    }
    if (purge->force)
        purge->kept = last_seq;
    return NULL;
}

static cm_error_t *try_remove(apr_int64_t *removed, cm_node_t *node,
                              const char *sql, const cm_datum_t *arguments,
                              int count, apr_pool_t *pool)
{
    CM_TRY(cm_transaction_begin(node->store, pool));
    return cm_transaction_end(
        node->store,
        cm_statement_run(removed, node->store, sql, arguments, count, pool),
        pool);
}

static cm_error_t *tell(const cm_purge_t *purge, apr_pool_t *pool)
{
    if (!purge->progress)
        return NULL;
    return purge->progress(purge->baton, purge->outbound + purge->inbound,
                           pool);
}

/* Remove what SQL says in a transaction of its own. */
static cm_error_t *remove_rows(apr_int64_t *removed, const cm_purge_t *purge,
                               cm_node_t *node, const char *sql,
                               const cm_datum_t *arguments, int count,
                               apr_pool_t *pool)
{
    cm_error_t *err = try_remove(removed, node, sql, arguments, count, pool);
    int i;

    for (i = 1; err && err->code == CM_BUSY && !purge->most_chunks && i < TRIES;
         i++) {
        CM_TRY(tell(purge, pool));
        err = try_remove(removed, node, sql, arguments, count, pool);
    }
    if (!err || err->code != CM_BUSY)
        return err;
    return cm_error_hint(
        err, pool,
        "another program holds the lock; %" APR_INT64_T_FMT
        " messages are removed already, the next purge removes the others",
        purge->outbound + purge->inbound);
}

/* One chunk of the outbox. */
static cm_error_t *purge_outbound(apr_int64_t *removed, cm_purge_t *purge,
                                  cm_node_t *node, const char *peer,
                                  apr_int64_t *after, apr_pool_t *pool)
{
    const char *old =
        purge->force ? "coalesce(delivered_at, created_at)" : "delivered_at";
    const cm_datum_t before = cm_datum_moment(purge->before, pool);
    apr_int64_t last;

    (void)peer;
    *removed = 0;
    CM_TRY(cm_statement_number(
        &last, node->store,
        apr_psprintf(pool,
                     "SELECT max(seq) FROM (SELECT seq, %s AS old"
                     " FROM outbound_messages WHERE seq > %" APR_INT64_T_FMT
                     " AND seq < %" APR_INT64_T_FMT " AND " NOT_WITHHELD
                     " ORDER BY seq LIMIT %d) AS chunk WHERE old < %%s",
                     old, *after, purge->kept, CHUNK),
        &before, 1, pool));
    if (!last)
        return NULL;
    CM_TRY_FOR(remove_rows(removed, purge, node,
                           apr_psprintf(pool,
                                        "DELETE FROM outbound_messages"
                                        " WHERE seq > %" APR_INT64_T_FMT
                                        " AND seq <= %" APR_INT64_T_FMT
                                        " AND %s < %%s AND " NOT_WITHHELD,
                                        *after, last, old),
                           &before, 1, pool),
               pool, "cannot purge outbound_messages");
    *after = last;
    purge->outbound += *removed;
    return NULL;
}

/* One chunk of what came from PEER, in the same way. */
static cm_error_t *purge_inbound(apr_int64_t *removed, cm_purge_t *purge,
                                 cm_node_t *node, const char *peer,
                                 apr_int64_t *after, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_moment(purge->before, pool)};
    apr_int64_t last;

    *removed = 0;
    CM_TRY(cm_statement_number(
        &last, node->store,
        apr_psprintf(pool,
                     "SELECT max(id) FROM (SELECT id FROM inbound_messages"
                     " WHERE peer = %%s AND id > %" APR_INT64_T_FMT
                     " AND processed_at < %%s ORDER BY id LIMIT %d) AS chunk",
                     *after, CHUNK),
        arguments, 2, pool));
    if (!last)
        return NULL;
    CM_TRY_FOR(remove_rows(removed, purge, node,
                           apr_psprintf(pool,
                                        "DELETE FROM inbound_messages"
                                        " WHERE peer = %%s"
                                        " AND id > %" APR_INT64_T_FMT
                                        " AND id <= %" APR_INT64_T_FMT
                                        " AND processed_at < %%s",
                                        *after, last),
                           arguments, 2, pool),
               pool, "cannot purge inbound_messages");
    *after = last;
    purge->inbound += *removed;
    return NULL;
}

/* A table that has a row for each batch, in the order of time. */
typedef struct batches_t {
    const char *table, *key;
    const char *select, *remove; /* SQL: of key, messages, time; of a DELETE */
    const char *which;           /* SQL of a condition ... */
    const cm_datum_t *arguments; /* ... and what it needs */
    int count;
} batches_t;

/* Find the last row of a chunk of BATCHES after AFTER (*LAST; 0: there is
 * none), and how many *MESSAGES the chunk has. */
static cm_error_t *measure(apr_int64_t *last, apr_int64_t *messages,
                           const batches_t *batches, const cm_purge_t *purge,
                           cm_node_t *node, apr_int64_t after, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i;

    *last = *messages = 0;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "%s WHERE %s AND %s > %" APR_INT64_T_FMT
                     " ORDER BY %s LIMIT %d",
                     batches->select, batches->which, batches->key, after,
                     batches->key, CHUNK),
        batches->arguments, batches->count, pool));
    for (i = 0; i < rows->count && *messages < CHUNK_MESSAGES &&
                cm_cell_number(rows, i, 2) < purge->before;
         i++) {
        *last = cm_cell_number(rows, i, 0);
        *messages += cm_cell_number(rows, i, 1);
    }
    return NULL;
}

/* Purge one chunk of BATCHES, which has *MESSAGES. */
static cm_error_t *purge_chunk_of(apr_int64_t *removed, apr_int64_t *messages,
                                  const batches_t *batches,
                                  const cm_purge_t *purge, cm_node_t *node,
                                  apr_int64_t *after, apr_pool_t *pool)
{
    apr_int64_t last;

    *removed = 0;
    CM_TRY(measure(&last, messages, batches, purge, node, *after, pool));
    if (!last)
        return NULL;
    CM_TRY_FOR(
        remove_rows(removed, purge, node,
                    apr_psprintf(pool,
                                 "%s WHERE %s"
                                 " AND %s > %" APR_INT64_T_FMT
                                 " AND %s <= %" APR_INT64_T_FMT,
                                 batches->remove, batches->which, batches->key,
                                 *after, batches->key, last),
                    batches->arguments, batches->count, pool),
        pool, "cannot purge %s", batches->table);
    *after = last;
    return NULL;
}

/* One chunk of the history of PEER. */
static cm_error_t *purge_received(apr_int64_t *removed, cm_purge_t *purge,
                                  cm_node_t *node, const char *peer,
                                  apr_int64_t *after, apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    const batches_t received = {.table = "communicator_received",
                                .key = "first_seq",
                                .select =
                                    "SELECT first_seq, messages, received_at"
                                    " FROM communicator_received",
                                .remove = "DELETE FROM communicator_received",
                                .which = "peer = %s",
                                .arguments = &argument,
                                .count = 1};
    apr_int64_t messages;

    CM_TRY(purge_chunk_of(removed, &messages, &received, purge, node, after,
                          pool));
    if (node->history != CM_HISTORY_ROWS)
        purge->inbound += messages;
    return NULL;
}

/* One chunk of what was sent in batches. */
static cm_error_t *purge_batches(apr_int64_t *removed, cm_purge_t *purge,
                                 cm_node_t *node, const char *peer,
                                 apr_int64_t *after, apr_pool_t *pool)
{
    const batches_t sent = {
        .table = "communicator_batches",
        .key = "last_seq",
        .select = "SELECT last_seq, last_seq - first_seq + 1, made_at"
                  " FROM communicator_batches",
        .remove = "DELETE FROM communicator_batches",
        .which =
            apr_psprintf(pool, "last_seq < %" APR_INT64_T_FMT, purge->kept)};
    apr_int64_t messages;

    (void)peer;
    CM_TRY(purge_chunk_of(removed, &messages, &sent, purge, node, after, pool));
    purge->outbound += messages;
    return NULL;
}

/* Purge one chunk of a kind after *AFTER, which moves on. */
typedef cm_error_t *(*purge_chunk_t)(apr_int64_t *removed, cm_purge_t *purge,
                                     cm_node_t *node, const char *peer,
                                     apr_int64_t *after, apr_pool_t *pool);

static cm_error_t *purge_all(purge_chunk_t purge_chunk, cm_purge_t *purge,
                             cm_node_t *node, const char *peer,
                             apr_pool_t *scratch_pool)
{
    apr_int64_t removed, after = 0;
    apr_pool_t *iterpool;
    int chunks = 0;

    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        /* An error holds neither of them. */
        /* cppcheck-suppress returnDanglingLifetime */
        CM_TRY(purge_chunk(&removed, purge, node, peer, &after, iterpool));
        CM_TRY(tell(purge, scratch_pool));
        chunks++;
    } while (removed > 0 &&
             (!purge->most_chunks || chunks < purge->most_chunks));
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Numbers that were held back need to be left out only while they are here. */
static cm_error_t *purge_withheld(const cm_purge_t *purge, cm_node_t *node,
                                  apr_pool_t *pool)
{
    static const char ended[] = " WHERE ended_at > 0 AND NOT EXISTS"
                                " (SELECT 1 FROM outbound_messages AS o"
                                " WHERE o.seq = communicator_withheld.seq)";
    apr_int64_t any, removed;

    CM_TRY(cm_statement_number(
        &any, node->store,
        apr_pstrcat(pool, "SELECT 1 FROM communicator_withheld", ended,
                    " LIMIT 1", NULL),
        NULL, 0, pool));
    if (!any)
        return NULL;
    CM_TRY_FOR(
        remove_rows(
            &removed, purge, node,
            apr_pstrcat(pool, "DELETE FROM communicator_withheld", ended, NULL),
            NULL, 0, pool),
        pool, "cannot purge communicator_withheld");
    return NULL;
}

cm_error_t *cm_purge_run(cm_purge_t *purge, cm_node_t *node,
                         apr_pool_t *scratch_pool)
{
    cm_rows_t *rows;
    int i;

    purge->outbound = purge->inbound = 0;
    CM_TRY(find_floor(purge, node, scratch_pool));
    CM_TRY(purge_all(purge_outbound, purge, node, NULL, scratch_pool));
    CM_TRY(purge_all(purge_batches, purge, node, NULL, scratch_pool));
    CM_TRY(purge_withheld(purge, node, scratch_pool));
    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT name FROM communicator_peers", NULL, 0,
                               scratch_pool));
    for (i = 0; i < rows->count; i++) {
        const char *peer = cm_cell_text(rows, i, 0);

        CM_TRY(purge_all(purge_inbound, purge, node, peer, scratch_pool));
        CM_TRY(purge_all(purge_received, purge, node, peer, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_purge_retain(apr_int64_t *removed, cm_node_t *node,
                            apr_pool_t *scratch_pool)
{
    cm_purge_t purge = {.most_chunks = RETAIN_CHUNKS};

    *removed = 0;
    if (node->settings->retain < 0)
        return NULL;
    purge.before = cm_clock_now() - node->settings->retain;
    CM_TRY(cm_purge_run(&purge, node, scratch_pool));
    *removed = purge.outbound + purge.inbound;
    return NULL;
}
