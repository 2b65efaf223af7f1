/* parked, retry, discard: messages of peers that cannot be applied here, and
 * messages of this node that are withheld from a peer. */
#include "command.h"

#include <errno.h>
#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "base/number.h"
#include "node/conflict.h"
#include "outbox/withheld.h"
#include "operate/holder.h"
#include "operate/parked.h"
#include "operate/taken.h"
#include "after.h"
#include "listing.h"

#define MOST_LISTED 1000
#define MOST_TOLD   10

/* The reason, and which row it is about. It is dimmed when nobody has to do
 * anything: it waits for another record. */
static const char *reason_cell(const void *row, apr_pool_t *pool)
{
    const cm_parked_t *message = &((const cm_parked_row_t *)row)->message;
    const char *holder = ((const cm_parked_row_t *)row)->holder;
    const char *reason = message->reason ? message->reason : "";

    if (holder)
        reason = apr_pstrcat(pool, reason, " [held by ", holder, "]", NULL);

    return message->transient ? sync_output_paint('d', reason, pool) : reason;
}

/* Why a message is parked, as far as it decides what to do. */
typedef enum reason_e {
    WAITS,
    HELD,
    REFUSED_DELETE,
    REFUSED
} reason_e;

/* What to do, by reason_e. */
static const struct {
    const char *what, *hint;
} next_steps[] = {
    {"waiting", "nothing: they go on when what they wait for is here"},
    {"conflict", "`communicator-sync retry PEER ID` applies the message, "
                 "`communicator-sync discard PEER ID` keeps what is here"},
    {"delete", "delete or change the rows here that refer to the record; or "
               "keep it on both sides: `communicator-sync revive MODEL ID`; or "
               "keep its row here alone: `communicator-sync discard PEER ID`"},
    {"refused", "correct what the reason names, here or at the peer: the next "
                "run tries again; `communicator-sync discard PEER ID` gives "
                "the message up"}};

static reason_e reason_of(const cm_parked_row_t *row)
{
    const char *reason = row->message.reason ? row->message.reason : "";

    if (row->message.transient)
        return WAITS;
    if (strstr(reason, CM_CONFLICT_HELD))
        return HELD;
    return row->action && !strcmp(row->action, "delete") ? REFUSED_DELETE
                                                         : REFUSED;
}

static const char *next_cell(const void *row, apr_pool_t *pool)
{
    (void)pool;
    return next_steps[reason_of(row)].hint;
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_parked_row_t, field)
static const sync_column_t parked_columns[] = {
    {COLUMN("PEER", "peer", TEXT, peer)},
    {COLUMN("ID", "id", NUMBER, message.id)},
    {COLUMN("MODEL", "model", TEXT, message.model), .none = "?"},
    {COLUMN("RECORD", NULL, RECORD, message.identity)},
    {COLUMN("AGE", "received_at", AGE, received_at), .none = "-"},
    {COLUMN("REASON", "reason", TEXT, message.reason), .cell = reason_cell},
    {COLUMN(NULL, "origin", TEXT, message.identity.origin)},
    {COLUMN(NULL, "original_id", TEXT, message.identity.original_id)},
    {COLUMN(NULL, "action", TEXT, action)},
    {COLUMN(NULL, "transient", TRUTH, message.transient)},
    {COLUMN(NULL, "attempts", INT, attempts)},
    {COLUMN(NULL, "held_by", TEXT, holder)},
    {COLUMN(NULL, "hint", COMPUTED, action), .cell = next_cell},
    SYNC_COLUMN_END};
#undef COLUMN

/* What to do, by cm_refuser_e. */
static const char *const hints[] = {
    "the peer's Communicator refuses them: see its CommunicatorMaxBody and "
    "its error log",
    "a proxy, or the peer's httpd, refuses them: see its limits "
    "(client_max_body_size of nginx, LimitRequestBody of httpd), its firewall "
    "rules and its log",
    "the gem's application refuses them: its log says why; the record's next "
    "change is sent again",
    "they cannot be read here: communicator-sync check shows why"};

static const char *refuser_cell(const void *row, apr_pool_t *pool)
{
    (void)pool;
    return cm_withheld_refuser_name(((const cm_withheld_t *)row)->refuser);
}

static const char *hint_cell(const void *row, apr_pool_t *pool)
{
    (void)pool;
    return hints[((const cm_withheld_t *)row)->refuser];
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_withheld_t, field)
static const sync_column_t withheld_columns[] = {
    {COLUMN("WITHHELD FROM", "peer", TEXT, peer)},
    {COLUMN("ID", "id", NUMBER, seq)},
    {COLUMN("MODEL", "model", TEXT, model), .none = "?"},
    {COLUMN("RECORD", NULL, RECORD, identity)},
    {COLUMN("AGE", "withheld_at", AGE, withheld_at)},
    {COLUMN("REFUSED BY", "refused_by", COMPUTED, refuser),
     .cell = refuser_cell},
    {COLUMN("REASON", "reason", TEXT, reason)},
    {COLUMN(NULL, "origin", TEXT, identity.origin)},
    {COLUMN(NULL, "original_id", TEXT, identity.original_id)},
    {COLUMN(NULL, "action", TEXT, action)},
    {COLUMN(NULL, "hint", COMPUTED, refuser), .cell = hint_cell},
    SYNC_COLUMN_END};
#undef COLUMN

static void print_json(const sync_client_t *client,
                       const apr_array_header_t *parked,
                       const apr_array_header_t *withheld)
{
    json_object *list = json_object_new_array();
    size_t i;

    sync_listing_json(list, parked_columns, parked, client->pool);
    sync_listing_json(list, withheld_columns, withheld, client->pool);
    for (i = (size_t)parked->nelts; i < json_object_array_length(list); i++)
        sync_output_add_truth(json_object_array_get_idx(list, i), "withheld",
                              1);
    sync_output_json(client->output, list);
}

/* Say what to do, once for each group of ROWS. */
static void print_next_steps(const sync_client_t *client,
                             const apr_array_header_t *rows)
{
    int count[sizeof(next_steps) / sizeof(*next_steps)] = {0};
    size_t reason;
    int i;

    for (i = 0; i < rows->nelts; i++)
        count[reason_of(&APR_ARRAY_IDX(rows, i, cm_parked_row_t))]++;
    for (reason = 0; reason < sizeof(count) / sizeof(*count); reason++)
        if (count[reason])
            sync_output_line(client->output, "hint: %s (%d): %s",
                             next_steps[reason].what, count[reason],
                             next_steps[reason].hint);
}

static cm_error_t *print_parked(const sync_client_t *client,
                                const apr_array_header_t *rows)
{
    apr_int64_t all;

    if (!rows->nelts)
        return NULL;
    sync_listing_table(client->output, parked_columns, rows, client->pool);
    print_next_steps(client, rows);
    if (rows->nelts < MOST_LISTED)
        return NULL;
    CM_TRY(cm_inbox_retry_count(&all, client->node, client->options->peer, 0,
                                client->pool));
    sync_output_line(client->output, "the first %d of %s", rows->nelts,
                     cm_number_grouped(all, client->pool));
    return NULL;
}

static void print_withheld(const sync_client_t *client,
                           const apr_array_header_t *rows)
{
    int seen[sizeof(hints) / sizeof(*hints)] = {0};
    size_t hint;
    int i;

    if (!rows->nelts)
        return;
    sync_listing_table(client->output, withheld_columns, rows, client->pool);
    for (i = 0; i < rows->nelts; i++)
        seen[APR_ARRAY_IDX(rows, i, cm_withheld_t).refuser] = 1;
    for (hint = 0; hint < sizeof(hints) / sizeof(*hints); hint++)
        if (seen[hint])
            sync_output_line(client->output, "hint: %s: %s",
                             cm_withheld_refuser_name((cm_refuser_e)hint),
                             hints[hint]);
    sync_output_line(client->output,
                     "hint: to send a record again, change it or use "
                     "communicator-sync retry; discard gives the message up");
}

/* Name the rows that keep what is refused of ROWS from being applied. */
static cm_error_t *name_holders(const sync_client_t *client,
                                const apr_array_header_t *rows)
{
    cm_catalog_t *catalog = NULL;
    int i;

    for (i = 0; i < rows->nelts; i++) {
        cm_parked_row_t *row = &APR_ARRAY_IDX(rows, i, cm_parked_row_t);

        const reason_e reason = reason_of(row);

        if (reason != REFUSED_DELETE && reason != REFUSED)
            continue;
        if (!catalog)
            CM_TRY(cm_catalog_read(&catalog, client->store, client->pool));
        CM_TRY((reason == REFUSED ? cm_taken_find : cm_holder_find)(
            &row->holder, client->node, catalog, row, client->pool));
    }
    return NULL;
}

cm_error_t *sync_command_parked(sync_client_t *client)
{
    const char *peer = client->options->peer;
    apr_array_header_t *parked, *withheld, *peers;

    CM_TRY(sync_client_peers(&peers, client, 0));
    CM_TRY(sync_client_node(client));
    CM_TRY(
        cm_parked_list(&parked, client->node, peer, MOST_LISTED, client->pool));
    CM_TRY(name_holders(client, parked));
    CM_TRY(cm_withheld_list(&withheld, client->node, peer, MOST_LISTED,
                            client->pool));
    if (client->output->json) {
        print_json(client, parked, withheld);
        return NULL;
    }
    if (!parked->nelts && !withheld->nelts)
        sync_output_summary(client->output, "nothing is parked here");
    CM_TRY(print_parked(client, parked));
    print_withheld(client, withheld);
    return NULL;
}

/* How a message is named on the command line: "12", or "sent:12" for one of
 * this node's own, where "12" would mean a parked one of the peer. */
typedef struct word_t {
    apr_int64_t id;
    int sent;
} word_t;

/* The messages that the words PEER ID... of the command line name. */
typedef struct named_t {
    const cm_peer_settings_t *peer;
    apr_array_header_t *parked, *withheld; /* apr_int64_t */
} named_t;

static cm_error_t *read_word(word_t *word, const char *text, apr_pool_t *pool)
{
    const char *digits;
    char *end;

    word->sent = !strncmp(text, "sent:", 5);
    digits = word->sent ? text + 5 : text;
    errno = 0;
    word->id = apr_strtoi64(digits, &end, 10);
    if (errno || end == digits || *end)
        return CM_FAIL(pool, CM_USAGE, "'%s' is not the number of a message",
                       text);
    return NULL;
}

/* Add the message of WORD to those that are parked or withheld. */
static cm_error_t *add_word(named_t *named, const word_t *word,
                            const sync_client_t *client)
{
    const char *peer = named->peer->name;
    int sent = word->sent, is_parked;
    apr_array_header_t *seqs;

    if (!sent) {
        CM_TRY(cm_parked_has(&is_parked, client->node, peer, word->id,
                             client->pool));
        if (!is_parked) {
            CM_TRY(cm_withheld_find(&seqs, client->node, peer, word->id - 1,
                                    word->id, client->pool));
            sent = seqs->nelts > 0;
        }
    }
    APR_ARRAY_PUSH(sent ? named->withheld : named->parked, apr_int64_t) =
        word->id;
    return NULL;
}

/* Read the words of the command line, open the node, and keep other runs
 * away. */
static cm_error_t *begin(named_t *named, sync_client_t *client)
{
    const apr_array_header_t *words = client->options->arguments;
    apr_pool_t *pool = client->pool;
    word_t *read = apr_pcalloc(pool, (words->nelts + 1) * sizeof(*read));
    int i;

    if (words->nelts < 2)
        return cm_error_hint(
            CM_FAIL(pool, CM_USAGE, "which message? Name it by PEER ID..."),
            pool, "communicator-sync parked lists them");
    CM_TRY(sync_client_peer(&named->peer, client,
                            APR_ARRAY_IDX(words, 0, const char *)));
    for (i = 1; i < words->nelts; i++)
        CM_TRY(
            read_word(&read[i], APR_ARRAY_IDX(words, i, const char *), pool));
    CM_TRY(sync_client_node(client));
    CM_TRY(sync_client_exclude_others(client, named->peer));
    named->parked = apr_array_make(pool, words->nelts, sizeof(apr_int64_t));
    named->withheld = apr_array_make(pool, words->nelts, sizeof(apr_int64_t));
    for (i = 1; i < words->nelts; i++)
        CM_TRY(add_word(named, &read[i], client));
    return NULL;
}

static const sync_column_t receipt_columns[] = {
    {SYNC_COLUMN(NULL, "id", NUMBER, cm_parked_t, id)},
    {SYNC_COLUMN(NULL, "model", TEXT, cm_parked_t, model)},
    {SYNC_COLUMN(NULL, "reason", TEXT, cm_parked_t, reason)},
    SYNC_COLUMN_END};

static void report_json(const sync_client_t *client, const char *peer,
                        const cm_receipt_t *receipt)
{
    json_object *json = json_object_new_object();

    sync_output_add_text(json, "peer", peer);
    sync_output_add_number(json, "applied", receipt->applied);
    json_object_object_add(json, "parked",
                           sync_listing_json(json_object_new_array(),
                                             receipt_columns, receipt->parked,
                                             client->pool));
    sync_output_json(client->output, json);
}

/* Report a retry; the exit status says when messages stay parked. */
static void report(sync_client_t *client, const char *peer,
                   const cm_receipt_t *receipt)
{
    int i;

    if (receipt->parked->nelts)
        client->status = cm_error_code_exit_status(CM_REJECTED);
    if (client->output->json) {
        report_json(client, peer, receipt);
        return;
    }
    sync_output_line(client->output, "%s: %d applied, %d parked", peer,
                     receipt->applied, receipt->parked->nelts);
    for (i = 0; i < receipt->parked->nelts && i < MOST_TOLD; i++) {
        const cm_parked_t *one =
            &APR_ARRAY_IDX(receipt->parked, i, cm_parked_t);

        sync_output_warn(client->output, peer,
                         "message %" APR_INT64_T_FMT " (%s): %s", one->id,
                         one->model ? one->model : "?",
                         one->reason ? one->reason : "");
    }
    if (receipt->parked->nelts > MOST_TOLD)
        sync_output_warn(client->output, peer,
                         "and %d more: communicator-sync parked",
                         receipt->parked->nelts - MOST_TOLD);
}

/* Queue the messages SEQS (apr_int64_t) again that are withheld from PEER.
 * NAMED by a person, each must be withheld; else one that cannot be sent does
 * not keep the others back. */
static cm_error_t *send_withheld(sync_client_t *client, const char *peer,
                                 const apr_array_header_t *seqs, int named)
{
    apr_int64_t count, published = 0;
    json_object *json;
    cm_error_t *err;
    int i;

    for (i = 0; i < seqs->nelts; i++) {
        apr_int64_t seq = APR_ARRAY_IDX(seqs, i, apr_int64_t);

        err = cm_withheld_retry(&count, client->node, peer, seq, client->pool);
        if (err && (named || err->code != CM_USAGE))
            return err;
        if (err) {
            client->status = cm_error_code_exit_status(CM_REJECTED);
            sync_output_warn(client->output, peer, "%s",
                             cm_error_text(err, client->pool));
        }
        else if (!count)
            sync_output_line(client->output,
                             "%s: message %" APR_INT64_T_FMT
                             " is dropped: no row has its key any more",
                             peer, seq);
        published += count;
    }
    if (!published)
        return NULL;
    json = json_object_new_object();
    sync_output_add_text(json, "peer", peer);
    sync_output_add_number(json, "published", published);
    sync_output_result(client->output, json,
                       "%s: %" APR_INT64_T_FMT
                       " messages are queued again: the next run sends them",
                       peer, published);
    return NULL;
}

static cm_error_t *retry_peer(sync_client_t *client,
                              const cm_peer_settings_t *peer)
{
    apr_pool_t *pool = client->pool;
    apr_array_header_t *rows, *seqs;
    cm_receipt_t *receipt;
    int i;

    CM_TRY(sync_client_exclude_others(client, peer));
    CM_TRY(cm_inbox_retry(&receipt, client->node, peer->name, pool));
    if (receipt->applied || receipt->parked->nelts || client->output->json)
        report(client, peer->name, receipt);
    CM_TRY(
        cm_withheld_list(&rows, client->node, peer->name, MOST_LISTED, pool));
    seqs = apr_array_make(pool, rows->nelts + 1, sizeof(apr_int64_t));
    for (i = 0; i < rows->nelts; i++)
        APR_ARRAY_PUSH(seqs, apr_int64_t) =
            APR_ARRAY_IDX(rows, i, cm_withheld_t).seq;
    return send_withheld(client, peer->name, seqs, 0);
}

static cm_error_t *retry_all(sync_client_t *client)
{
    apr_array_header_t *peers;
    int i, done;

    CM_TRY(sync_client_node(client));
    CM_TRY(sync_client_peers(&peers, client, 0));
    for (i = 0; i < peers->nelts; i++)
        CM_TRY(
            retry_peer(client, APR_ARRAY_IDX(peers, i, cm_peer_settings_t *)));
    sync_after_run(&done, client);
    return NULL;
}

cm_error_t *sync_command_parked_retry(sync_client_t *client)
{
    cm_receipt_t *receipt;
    named_t named;
    const char *peer;
    int done;

    if (client->options->arguments->nelts == 0)
        return retry_all(client);
    CM_TRY(begin(&named, client));
    peer = named.peer->name;
    if (named.parked->nelts) {
        CM_TRY(cm_inbox_retry_decided(&receipt, client->node, peer,
                                      named.parked, CM_DECIDE_THEIRS,
                                      client->pool));
        if (!receipt->applied && !receipt->parked->nelts)
            return cm_error_hint(
                CM_FAIL(client->pool, CM_USAGE,
                        "no such message of '%s' is parked here", peer),
                client->pool, "communicator-sync parked lists them");
        report(client, peer, receipt);
        sync_after_run(&done, client);
    }
    return send_withheld(client, peer, named.withheld, 1);
}

/* Give up on the messages IDS of PEER with the function DISCARD. */
static cm_error_t *
discard(const sync_client_t *client, const char *peer,
        const apr_array_header_t *ids,
        cm_error_t *(*discard_one)(cm_node_t *node, const char *peer,
                                   apr_int64_t id, apr_pool_t *pool))
{
    json_object *json;
    int i;

    for (i = 0; i < ids->nelts; i++) {
        apr_int64_t id = APR_ARRAY_IDX(ids, i, apr_int64_t);

        CM_TRY(discard_one(client->node, peer, id, client->pool));
        json = json_object_new_object();
        sync_output_add_text(json, "peer", peer);
        sync_output_add_number(json, "discarded", id);
        sync_output_result(client->output, json,
                           "%s: message %" APR_INT64_T_FMT
                           " is discarded, and kept in communicator_conflicts",
                           peer, id);
    }
    return NULL;
}

cm_error_t *sync_command_parked_discard(sync_client_t *client)
{
    cm_receipt_t *receipt;
    named_t named;
    const char *peer;
    int done;

    CM_TRY(begin(&named, client));
    peer = named.peer->name;
    CM_TRY(discard(client, peer, named.parked, cm_parked_discard));
    CM_TRY(discard(client, peer, named.withheld, cm_withheld_discard));
    CM_TRY(cm_inbox_retry(&receipt, client->node, peer, client->pool));
    if (client->output->json)
        report_json(client, peer, receipt);
    else if (receipt->applied)
        sync_output_line(client->output,
                         "%s: %d messages that waited behind are applied", peer,
                         receipt->applied);
    sync_after_run(&done, client);
    return NULL;
}
