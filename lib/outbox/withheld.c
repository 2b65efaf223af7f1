/* Messages that are withheld from a peer: see withheld.h. */
#include "outbox/withheld.h"

#include <errno.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/clock.h"
#include "node/conflict.h"
#include "node/batches.h"
#include "node/peer.h"
#include "outbox/aliases.h"
#include "outbox/append.h"
#include "outbox/publish.h"
#include "outbox/unpack.h"

#define FMT          "%" APR_INT64_T_FMT
#define MOST_COUNTED 10000

/* The messages for a peer that are not withheld; "%s": the peer, twice. */
#define SENDABLE                                                               \
    "(source IS NULL OR source <> %%s) AND NOT EXISTS (SELECT 1 FROM"          \
    " communicator_withheld AS w WHERE w.peer = %%s"                           \
    " AND w.seq = outbound_messages.seq)"

/* Whether message "n" holds all that an older one, "o", says of its record.
 * What is forwarded is the state at the peer that it came from, not the one
 * here. */
#define REPLACES                                                               \
    "(n.source IS NULL OR n.source = o.source OR n.action = 'delete')"

static const char *const refusers[] = {"peer", "proxy", "gem", "here"};

const char *cm_withheld_refuser_name(cm_refuser_e refuser)
{
    return refusers[refuser];
}

static cm_refuser_e refuser_of(const char *name)
{
    int i;

    for (i = CM_REFUSER_PEER; i < CM_REFUSER_HERE; i++)
        if (!strcmp(name, refusers[i]))
            break;
    return (cm_refuser_e)i;
}

/* Return SEQS as they stand in "IN (...)". */
static const char *list_of(const apr_array_header_t *seqs, apr_pool_t *pool)
{
    apr_array_header_t *texts =
        apr_array_make(pool, seqs->nelts, sizeof(const char *));
    int i;

    for (i = 0; i < seqs->nelts; i++)
        APR_ARRAY_PUSH(texts, const char *) = apr_psprintf(
            pool, i ? ", " FMT : FMT, APR_ARRAY_IDX(seqs, i, apr_int64_t));
    return apr_array_pstrcat(pool, texts, 0);
}

static apr_int64_t least(const apr_array_header_t *seqs)
{
    apr_int64_t found = APR_ARRAY_IDX(seqs, 0, apr_int64_t);
    int i;

    for (i = 1; i < seqs->nelts; i++)
        if (APR_ARRAY_IDX(seqs, i, apr_int64_t) < found)
            found = APR_ARRAY_IDX(seqs, i, apr_int64_t);
    return found;
}

static apr_array_header_t *numbers_of(const cm_rows_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *seqs =
        apr_array_make(pool, rows->count, sizeof(apr_int64_t));
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(seqs, apr_int64_t) = cm_cell_number(rows, i, 0);
    return seqs;
}

/* End the withheld messages SEQS (apr_int64_t). */
static cm_error_t *end_them(cm_node_t *node, const char *peer,
                            const apr_array_header_t *seqs, apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);

    if (!seqs->nelts)
        return NULL;
    return cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "UPDATE communicator_withheld SET ended_at = " FMT
                     " WHERE peer = %%s AND seq IN (%s)",
                     cm_clock_now(), list_of(seqs, pool)),
        &argument, 1, pool);
}

static cm_error_t *end_one(cm_node_t *node, const char *peer, apr_int64_t seq,
                           apr_pool_t *pool)
{
    apr_array_header_t *one = apr_array_make(pool, 1, sizeof(seq));

    APR_ARRAY_PUSH(one, apr_int64_t) = seq;
    return end_them(node, peer, one, pool);
}

/* End older withheld messages of the records of the messages in LIST. */
static cm_error_t *end_older(cm_node_t *node, const char *peer,
                             const char *list, apr_pool_t *pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT DISTINCT w.seq FROM outbound_messages AS n"
                     " JOIN communicator_withheld AS w"
                     " ON w.original_id = n.original_id AND w.origin = n.origin"
                     " AND w.model = n.model AND w.seq < n.seq"
                     " LEFT JOIN outbound_messages AS o ON o.seq = w.seq"
                     " WHERE w.peer = %%s AND n.seq IN (%s)"
                     " AND w.ended_at = 0 AND " REPLACES,
                     list),
        &argument, 1, pool));
    return end_them(node, peer, numbers_of(rows, pool), pool);
}

static cm_error_t *add(cm_node_t *node, const char *peer,
                       const apr_array_header_t *seqs, cm_refuser_e refuser,
                       const char *reason, apr_pool_t *pool)
{
    const char *list = list_of(seqs, pool);
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_text(refusers[refuser]),
                                    cm_datum_text(reason), cm_datum_text(peer)};
    apr_int64_t last_seq;
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, peer, 1, pool));
    /* They, and what may replace them, have to be rows. */
    CM_TRY(cm_node_lock(&last_seq, node, pool));
    CM_TRY(cm_unpack_all(node, least(seqs) - 1, pool));
    CM_TRY(cm_statement_run(
        NULL, node->store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_withheld (peer, refused_by,"
                     " reason, seq, model, action, local_record_id, origin,"
                     " original_id, withheld_at)"
                     " SELECT %%s, %%s, %%s, seq, model, action,"
                     " local_record_id, origin, original_id, " FMT
                     " FROM outbound_messages WHERE seq IN (%s)"
                     " AND NOT EXISTS (SELECT 1 FROM communicator_withheld AS w"
                     " WHERE w.peer = %%s AND w.seq = outbound_messages.seq)",
                     cm_clock_now(), list),
        arguments, 4, pool));
    return end_older(node, peer, list, pool);
}

cm_error_t *cm_withheld_add(cm_node_t *node, const char *peer,
                            const apr_array_header_t *seqs,
                            cm_refuser_e refuser, const char *reason,
                            apr_pool_t *scratch_pool)
{
    if (!seqs->nelts)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(
        cm_transaction_end(node->store,
                           add(node, peer, seqs, refuser, reason, scratch_pool),
                           scratch_pool),
        scratch_pool, "cannot note that messages are withheld from '%s'", peer);
    return NULL;
}

cm_error_t *cm_withheld_list(apr_array_header_t **rows, cm_node_t *node,
                             const char *peer, int limit,
                             apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *read;
    int i;

    CM_TRY_FOR(cm_statement_select(
                   &read, node->store,
                   apr_psprintf(result_pool,
                                "SELECT peer, seq, model, action,"
                                " local_record_id, origin, original_id,"
                                " refused_by, reason, withheld_at"
                                " FROM communicator_withheld"
                                " WHERE ended_at = 0%s"
                                " ORDER BY peer, seq LIMIT %d",
                                peer ? " AND peer = %s" : "", limit),
                   &argument, peer ? 1 : 0, result_pool),
               result_pool, "cannot list withheld messages");
    *rows = apr_array_make(result_pool, read->count, sizeof(cm_withheld_t));
    for (i = 0; i < read->count; i++) {
        cm_withheld_t *row = apr_array_push(*rows);

        row->peer = cm_cell_text(read, i, 0);
        row->seq = cm_cell_number(read, i, 1);
        row->model = cm_cell_text(read, i, 2);
        row->action = cm_cell_text(read, i, 3);
        row->local_id = cm_cell_text(read, i, 4);
        row->identity.origin = cm_cell_text(read, i, 5);
        row->identity.original_id = cm_cell_text(read, i, 6);
        row->refuser = refuser_of(cm_cell_text(read, i, 7));
        row->reason = cm_cell_text(read, i, 8);
        row->withheld_at = cm_cell_number(read, i, 9);
    }
    return NULL;
}

cm_error_t *cm_withheld_count(cm_withheld_sum_t *sum, cm_node_t *node,
                              const char *peer, apr_pool_t *scratch_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY_FOR(cm_statement_select(
                   &rows, node->store,
                   apr_psprintf(scratch_pool,
                                "SELECT count(*), min(seq) FROM (SELECT seq"
                                " FROM communicator_withheld"
                                " WHERE ended_at = 0%s ORDER BY peer, seq"
                                " LIMIT %d) AS counted",
                                peer ? " AND peer = %s" : "", MOST_COUNTED),
                   &argument, peer ? 1 : 0, scratch_pool),
               scratch_pool, "cannot count withheld messages");
    sum->count = cm_cell_number(rows, 0, 0);
    sum->first = cm_cell_number(rows, 0, 1);
    return NULL;
}

const char *cm_withheld_sum_text(const cm_withheld_sum_t *sum, apr_pool_t *pool)
{
    return sum->first ? apr_psprintf(pool, FMT " " FMT, sum->count, sum->first)
                      : apr_psprintf(pool, FMT, sum->count);
}

cm_withheld_sum_t cm_withheld_sum_read(const char *text)
{
    cm_withheld_sum_t sum = {-1, 0};
    char *end;

    if (!text || !apr_isdigit(*text))
        return sum;
    errno = 0;
    sum.count = apr_strtoi64(text, &end, 10);
    if (*end == ' ' && apr_isdigit(end[1]))
        sum.first = apr_strtoi64(end + 1, &end, 10);
    if (errno || *end || sum.count > CM_SEQ_MAX || sum.first > CM_SEQ_MAX)
        sum = (cm_withheld_sum_t){-1, 0};
    return sum;
}

static cm_error_t *discard(cm_node_t *node, const char *peer, apr_int64_t seq,
                           apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(seq, pool)};
    cm_peer_t *row;
    cm_rows_t *rows;

    CM_TRY(cm_peer_load(&row, node, peer, 1, pool));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        "SELECT w.seq, w.model, w.origin, w.original_id, w.action, o.clock,"
        " o.clocks, o.base, o.refs, o.body, w.reason, w.local_record_id"
        " FROM communicator_withheld AS w"
        " LEFT JOIN outbound_messages AS o ON o.seq = w.seq"
        " WHERE w.peer = %s AND w.seq = %s AND w.ended_at = 0",
        arguments, 2, pool));
    if (!rows->count)
        return CM_FAIL(pool, CM_USAGE,
                       "message " FMT " is not withheld from '%s'", seq, peer);
    CM_TRY(cm_conflict_keep_message(node, peer, rows, cm_cell_text(rows, 0, 11),
                                    pool));
    return end_one(node, peer, seq, pool);
}

cm_error_t *cm_withheld_discard(cm_node_t *node, const char *peer,
                                apr_int64_t seq, apr_pool_t *scratch_pool)
{
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY_FOR(
        cm_transaction_end(node->store, discard(node, peer, seq, scratch_pool),
                           scratch_pool),
        scratch_pool, "cannot discard message " FMT " for '%s'", seq, peer);
    return NULL;
}

cm_error_t *cm_withheld_find(apr_array_header_t **seqs, cm_node_t *node,
                             const char *peer, apr_int64_t after,
                             apr_int64_t last, apr_pool_t *result_pool)
{
    const cm_datum_t argument = cm_datum_text(peer);
    cm_rows_t *rows;

    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_psprintf(result_pool,
                                         "SELECT seq FROM communicator_withheld"
                                         " WHERE peer = %%s AND seq > " FMT
                                         " AND seq <= " FMT " ORDER BY seq",
                                         after, last),
                            &argument, 1, result_pool),
        result_pool, "cannot read which messages are withheld from '%s'", peer);
    *seqs = numbers_of(rows, result_pool);
    return NULL;
}

cm_error_t *cm_withheld_find_sendable(apr_array_header_t **seqs,
                                      cm_node_t *node, const char *peer,
                                      apr_int64_t after, apr_int64_t last,
                                      int limit, apr_pool_t *result_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    const char *end =
        last ? apr_psprintf(result_pool, " AND seq <= " FMT, last) : "";
    cm_rows_t *rows;

    CM_TRY(cm_unpack_each(node, after, result_pool));
    CM_TRY_FOR(
        cm_statement_select(&rows, node->store,
                            apr_psprintf(result_pool,
                                         "SELECT seq FROM outbound_messages"
                                         " WHERE seq > " FMT "%s AND " SENDABLE
                                         " ORDER BY seq LIMIT %d",
                                         after, end, limit),
                            arguments, 2, result_pool),
        result_pool, "cannot read which messages come next for '%s'", peer);
    *seqs = numbers_of(rows, result_pool);
    return NULL;
}

cm_error_t *cm_withheld_find_last_sent(apr_int64_t *seq, cm_node_t *node,
                                       const char *peer, apr_int64_t last,
                                       apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    apr_int64_t packed;

    CM_TRY_FOR(
        cm_statement_number(
            seq, node->store,
            apr_psprintf(scratch_pool,
                         "SELECT seq FROM outbound_messages WHERE seq <= " FMT
                         " AND " SENDABLE " ORDER BY seq DESC LIMIT 1",
                         last),
            arguments, 2, scratch_pool),
        scratch_pool, "cannot read what was last sent to '%s'", peer);
    CM_TRY(cm_batches_last(&packed, node, last, scratch_pool));
    if (*seq < packed)
        *seq = packed;
    return NULL;
}

/* End the withheld messages of records of MODEL that have got another identity
 * since (match=), and were sent under that. A delete is sent under each. */
static cm_error_t *end_renamed(cm_node_t *node, const char *peer,
                               const cm_model_t *model, apr_int64_t after,
                               apr_int64_t last, apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(model->name),
                                    cm_datum_text(peer), cm_datum_text(peer)};
    const cm_records_t *records;
    cm_rows_t *rows;

    CM_TRY(cm_node_records(&records, node, model->type, pool));
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(pool,
                     "SELECT DISTINCT w.seq FROM communicator_withheld AS w"
                     " JOIN %s AS a"
                     " ON a.original_id = w.original_id AND a.origin = w.origin"
                     " AND coalesce(a.deleted_at, 0) = 0"
                     " JOIN outbound_messages AS n"
                     " ON n.original_id = a.same_id AND n.origin ="
                     " a.same_origin AND n.model = w.model AND n.seq > w.seq"
                     " LEFT JOIN outbound_messages AS o ON o.seq = w.seq"
                     " WHERE n.seq > " FMT " AND n.seq <= " FMT
                     " AND w.model = %%s"
                     " AND (n.source IS NULL OR n.source <> %%s)"
                     " AND w.peer = %%s AND w.ended_at = 0"
                     " AND (coalesce(w.action, '') <> 'delete'"
                     " OR n.action <> 'delete') AND " REPLACES,
                     records->table, after, last),
        arguments, 3, pool));
    return end_them(node, peer, numbers_of(rows, pool), pool);
}

cm_error_t *cm_withheld_end_replaced(cm_node_t *node, const char *peer,
                                     apr_int64_t after, apr_int64_t last,
                                     apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer), cm_datum_text(peer)};
    const apr_array_header_t *models = node->settings->models;
    apr_int64_t any;
    cm_rows_t *rows;
    int i;

    /* Usually nothing is withheld. */
    CM_TRY(cm_statement_number(&any, node->store,
                               "SELECT 1 FROM communicator_withheld"
                               " WHERE peer = %s AND ended_at = 0 LIMIT 1",
                               arguments, 1, scratch_pool));
    if (!any)
        return NULL;
    CM_TRY(cm_statement_select(
        &rows, node->store,
        apr_psprintf(scratch_pool,
                     "SELECT DISTINCT w.seq FROM outbound_messages AS n"
                     " JOIN communicator_withheld AS w"
                     " ON w.original_id = n.original_id AND w.origin = n.origin"
                     " AND w.model = n.model AND w.seq < n.seq"
                     " LEFT JOIN outbound_messages AS o ON o.seq = w.seq"
                     " WHERE n.seq > " FMT " AND n.seq <= " FMT
                     " AND (n.source IS NULL OR n.source <> %%s)"
                     " AND w.peer = %%s AND w.ended_at = 0 AND " REPLACES
                     " AND NOT EXISTS (SELECT 1 FROM communicator_withheld AS x"
                     " WHERE x.peer = w.peer AND x.seq = n.seq)",
                     after, last),
        arguments, 2, scratch_pool));
    CM_TRY(end_them(node, peer, numbers_of(rows, scratch_pool), scratch_pool));
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);

        if (model->columns.match->nelts)
            CM_TRY(end_renamed(node, peer, model, after, last, scratch_pool));
    }
    return NULL;
}

cm_error_t *cm_withheld_forget(cm_node_t *node, const char *peer,
                               apr_int64_t after, apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {
        cm_datum_text(peer),
        cm_datum_text(cm_withheld_refuser_name(CM_REFUSER_HERE))};

    CM_TRY_FOR(
        cm_statement_run(NULL, node->store,
                         apr_psprintf(scratch_pool,
                                      "DELETE FROM communicator_withheld"
                                      " WHERE peer = %%s AND seq > " FMT
                                      " AND ended_at = 0 AND refused_by <> %%s",
                                      after),
                         arguments, 2, scratch_pool),
        scratch_pool, "cannot try again what was refused by '%s'", peer);
    return NULL;
}

/* What is to be sent again. */
typedef struct again_t {
    cm_node_t *node;
    const char *peer;
    apr_int64_t seq;
    const cm_model_t *model;
    cm_identity_t identity; /* in the message */
    int deletes;
} again_t;

/* Set *IS if nothing has changed the record since: a message that came later
 * must not be overtaken by an earlier one. A record is deleted under each of
 * its names, and what peers have changed of it since, changes nothing here. */
static cm_error_t *is_newest(apr_int64_t *is, const again_t *again,
                             apr_pool_t *pool)
{
    cm_mapping_t *mapping;
    apr_int64_t clock;
    int ended;

    CM_TRY(cm_statement_number(
        &clock, again->node->store,
        apr_psprintf(pool,
                     "SELECT clock FROM outbound_messages WHERE seq = " FMT,
                     again->seq),
        NULL, 0, pool));
    CM_TRY(cm_mapping_of_identity(&mapping, again->node, again->model->type,
                                  again->identity, pool));
    ended = again->deletes && mapping && mapping->deleted_at;
    *is = clock && mapping &&
          (ended ? mapping->deleted_at : mapping->clocks.clock) == clock &&
          (ended || !cm_aliases_compare(again->identity, mapping->identity));
    return NULL;
}

static cm_error_t *copy_newest(apr_int64_t *sent, const again_t *again,
                               apr_pool_t *pool)
{
    cm_node_t *node = again->node;
    apr_int64_t last;
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, again->peer, 1, pool));
    CM_TRY(cm_node_lock(&last, node, pool));
    CM_TRY(is_newest(sent, again, pool));
    if (!*sent)
        return NULL;
    CM_TRY(cm_append_copy(node, again->seq, last + 1, pool));
    return cm_node_set_last_seq(node, last + 1, pool);
}

/* Send the message itself, if it is the newest of its record: it names the
 * values that it replaces, so that the receiver sees conflicts. Other peers
 * have had it, and would see conflicts with what they have changed since. */
static cm_error_t *copy_again(apr_int64_t *sent, const again_t *again,
                              apr_pool_t *pool)
{
    if (again->node->settings->peers->nelts > 1)
        return NULL;
    CM_TRY(cm_transaction_begin(again->node->store, pool));
    return cm_transaction_end(again->node->store,
                              copy_newest(sent, again, pool), pool);
}

/* A row beside another one with its key has no identity. Publish what has the
 * key now, if that is one row; if none has, the message is at its end: somebody
 * has deleted the record, here or at a peer, and with it all its rows. */
static cm_error_t *publish_only(apr_int64_t *published, const again_t *again,
                                const char *local_id, apr_pool_t *pool)
{
    apr_array_header_t *ids = apr_array_make(pool, 1, sizeof(const char *));

    APR_ARRAY_PUSH(ids, const char *) = local_id;
    CM_TRY(cm_publish_records(published, again->node, again->model, ids, pool));
    if (*published > 1)
        return CM_FAIL(pool, CM_USAGE, "several rows of table '%s' are %s",
                       again->model->table, local_id);
    return end_one(again->node, again->peer, again->seq, pool);
}

/* Send the message that ROWS names again, or publish its record. What cannot be
 * read here would be refused again. */
static cm_error_t *send_again(apr_int64_t *published, again_t *again,
                              const cm_rows_t *rows, apr_pool_t *pool)
{
    cm_node_t *node = again->node;
    const char *name = cm_cell_text(rows, 0, 0);
    const cm_identity_t identity = again->identity;
    const cm_model_t *model = cm_settings_model(node->settings, name);
    apr_array_header_t *names = apr_array_make(pool, 1, sizeof(cm_identity_t));

    if (!model)
        return CM_FAIL(pool, CM_USAGE, "model '%s' is not configured here",
                       name ? name : "?");
    again->model = model;
    if (refuser_of(cm_cell_text(rows, 0, 3)) != CM_REFUSER_HERE)
        CM_TRY(copy_again(published, again, pool));
    if (*published)
        return NULL;
    APR_ARRAY_PUSH(names, cm_identity_t) = identity;
    if (identity.origin && identity.original_id)
        CM_TRY(cm_publish_identities(published, node, model, names, pool));
    else if (cm_cell_text(rows, 0, 4))
        return publish_only(published, again, cm_cell_text(rows, 0, 4), pool);
    if (*published)
        return NULL;
    return cm_error_hint(
        CM_FAIL(pool, CM_USAGE, "its record of model '%s' is not here", name),
        pool, "`communicator-sync discard` removes it from the list");
}

cm_error_t *cm_withheld_retry(apr_int64_t *published, cm_node_t *node,
                              const char *peer, apr_int64_t seq,
                              apr_pool_t *scratch_pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(peer),
                                    cm_datum_number(seq, scratch_pool)};
    again_t again = {.node = node, .peer = peer, .seq = seq};
    cm_rows_t *rows;

    *published = 0;
    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT model, origin, original_id, refused_by,"
                               " local_record_id, coalesce(action, '')"
                               " FROM communicator_withheld WHERE peer = %s"
                               " AND seq = %s AND ended_at = 0",
                               arguments, 2, scratch_pool));
    if (!rows->count)
        return cm_error_hint(CM_FAIL(scratch_pool, CM_USAGE,
                                     "message " FMT " is not withheld from"
                                     " '%s'",
                                     seq, peer),
                             scratch_pool,
                             "communicator-sync parked lists them");
    again.identity =
        (cm_identity_t){cm_cell_text(rows, 0, 1), cm_cell_text(rows, 0, 2)};
    again.deletes = !strcmp(cm_cell_text(rows, 0, 5), "delete");
    CM_TRY_FOR(send_again(published, &again, rows, scratch_pool), scratch_pool,
               "cannot send message " FMT " to '%s' again", seq, peer);
    return NULL;
}
