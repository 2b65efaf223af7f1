/* Messages of this node that a peer does not get: see withheld.h. */
#include "withheld.h"

#include <errno.h>
#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "listing.h"
#include "outbox/withheld.h"
#include "operate/parked.h"

#define MOST_SENT 1000

static const char *const hints[] = {
    "the peer's Communicator refuses them: see its CommunicatorMaxBody and "
    "its error log",
    "a proxy, or the peer's httpd, refuses them: see its limits "
    "(client_max_body_size of nginx, LimitRequestBody of httpd), its firewall "
    "rules and its log",
    "they cannot be read here: communicator-sync check tells more"};

cm_error_t *sync_withheld_read_words(const cm_peer_settings_t **peer,
                                     apr_array_header_t **words,
                                     const sync_client_t *client,
                                     apr_pool_t *pool)
{
    const apr_array_header_t *all = client->options->arguments;
    const char *name, *text, *digits;
    sync_word_t *word;
    char *end;
    int i;

    if (all->nelts < 2)
        return cm_error_hint(
            CM_FAIL(pool, CM_USAGE, "which message? Say PEER ID..."), pool,
            "communicator-sync parked lists them");
    name = APR_ARRAY_IDX(all, 0, const char *);
    *peer = cm_settings_peer(client->settings, name);
    if (!*peer)
        return CM_FAIL(pool, CM_USAGE, "there is no peer '%s'", name);
    *words = apr_array_make(pool, all->nelts, sizeof(sync_word_t));
    for (i = 1; i < all->nelts; i++) {
        text = APR_ARRAY_IDX(all, i, const char *);
        word = apr_array_push(*words);
        word->sent = !strncmp(text, "sent:", 5);
        digits = word->sent ? text + 5 : text;
        errno = 0;
        word->id = apr_strtoi64(digits, &end, 10);
        if (errno || end == digits || *end)
            return CM_FAIL(pool, CM_USAGE,
                           "'%s' is not the number of a message", text);
    }
    return NULL;
}

/* Say whether message SEQ is held back from PEER. */
static cm_error_t *is_withheld(int *there, const sync_client_t *client,
                               const char *peer, apr_int64_t seq,
                               apr_pool_t *pool)
{
    apr_array_header_t *seqs;

    CM_TRY(cm_withheld_find(&seqs, client->node, peer, seq - 1, seq, pool));
    *there = seqs->nelts > 0;
    return NULL;
}

cm_error_t *sync_withheld_divide_words(apr_array_header_t **parked,
                                       apr_array_header_t **withheld,
                                       const apr_array_header_t *words,
                                       const sync_client_t *client,
                                       const char *peer, apr_pool_t *pool)
{
    int i, there;

    *parked = apr_array_make(pool, words->nelts, sizeof(apr_int64_t));
    *withheld = apr_array_make(pool, words->nelts, sizeof(apr_int64_t));
    for (i = 0; i < words->nelts; i++) {
        const sync_word_t *word = &APR_ARRAY_IDX(words, i, sync_word_t);
        int sent = word->sent;

        if (!sent) {
            CM_TRY(cm_parked_has(&there, client->node, peer, word->id, pool));
            if (!there)
                CM_TRY(is_withheld(&sent, client, peer, word->id, pool));
        }
        APR_ARRAY_PUSH(sent ? *withheld : *parked, apr_int64_t) = word->id;
    }
    return NULL;
}

static const char *record_cell(const void *row, const sync_output_t *output,
                               apr_pool_t *pool)
{
    const cm_withheld_t *withheld = row;

    (void)output;
    return sync_output_record(withheld->identity.origin,
                              withheld->identity.original_id, pool);
}

static const char *refuser_of(const void *row, const sync_output_t *output,
                              apr_pool_t *pool)
{
    (void)output;
    (void)pool;
    return cm_withheld_refuser_name(((const cm_withheld_t *)row)->refuser);
}

static const char *hint_of(const void *row, const sync_output_t *output,
                           apr_pool_t *pool)
{
    (void)output;
    (void)pool;
    return hints[((const cm_withheld_t *)row)->refuser];
}

#define COLUMN(title, key, kind, field)                                        \
    SYNC_COLUMN(title, key, kind, cm_withheld_t, field)
static const sync_column_t columns[] = {
    {COLUMN("WITHHELD FROM", "peer", TEXT, peer)},
    {COLUMN("ID", "id", NUMBER, seq)},
    {COLUMN("MODEL", "model", TEXT, model), .none = "?"},
    {.title = "RECORD", .cell = record_cell},
    {COLUMN("AGE", "withheld_at", AGE, withheld_at)},
    {.title = "REFUSED BY",
     .key = "refused_by",
     .kind = SYNC_FIELD_COMPUTED,
     .cell = refuser_of},
    {COLUMN("REASON", "reason", TEXT, reason)},
    {COLUMN(NULL, "origin", TEXT, identity.origin)},
    {COLUMN(NULL, "original_id", TEXT, identity.original_id)},
    {COLUMN(NULL, "action", TEXT, action)},
    {.key = "hint", .kind = SYNC_FIELD_COMPUTED, .cell = hint_of},
    SYNC_COLUMN_END};
#undef COLUMN

void sync_withheld_json(json_object *all, const apr_array_header_t *rows,
                        apr_pool_t *pool)
{
    size_t first = json_object_array_length(all), i;

    sync_listing_json(all, columns, rows, pool);
    for (i = first; i < json_object_array_length(all); i++)
        sync_output_add_truth(json_object_array_get_idx(all, i), "withheld", 1);
}

void sync_withheld_table(const sync_client_t *client,
                         const apr_array_header_t *rows, apr_pool_t *pool)
{
    int seen[sizeof(hints) / sizeof(*hints)] = {0};
    size_t hint;
    int i;

    for (i = 0; i < rows->nelts; i++)
        seen[APR_ARRAY_IDX(rows, i, cm_withheld_t).refuser] = 1;
    sync_listing_table(client->output, columns, rows, pool);
    for (hint = 0; hint < sizeof(hints) / sizeof(*hints); hint++)
        if (seen[hint])
            sync_output_line(client->output, "hint: %s: %s",
                             cm_withheld_refuser_name((cm_refuser_e)hint),
                             hints[hint]);
    sync_output_line(client->output,
                     "hint: change the record, or communicator-sync retry, "
                     "sends it again; discard gives the message up");
}

cm_error_t *sync_withheld_send(apr_int64_t *published,
                               const sync_client_t *client, const char *peer,
                               const apr_array_header_t *seqs,
                               apr_pool_t *scratch_pool)
{
    apr_array_header_t *rows;
    apr_int64_t count;
    int i;

    *published = 0;
    if (!seqs) {
        CM_TRY(cm_withheld_list(&rows, client->node, peer, MOST_SENT,
                                scratch_pool));
        for (i = 0; i < rows->nelts; i++) {
            CM_TRY(cm_withheld_retry(&count, client->node, peer,
                                     APR_ARRAY_IDX(rows, i, cm_withheld_t).seq,
                                     scratch_pool));
            *published += count;
        }
        return NULL;
    }
    for (i = 0; i < seqs->nelts; i++) {
        apr_int64_t seq = APR_ARRAY_IDX(seqs, i, apr_int64_t);

        CM_TRY(
            cm_withheld_retry(&count, client->node, peer, seq, scratch_pool));
        if (!count)
            return cm_error_hint(
                CM_FAIL(scratch_pool, CM_USAGE,
                        "message %" APR_INT64_T_FMT " is not withheld from "
                        "'%s'",
                        seq, peer),
                scratch_pool, "communicator-sync parked lists them");
        *published += count;
    }
    return NULL;
}
