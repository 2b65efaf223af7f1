/* What a gem takes, and how it counts: see gem.h and docs/wire.md. */
#include "gem/gem.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "record/canonical.h"
#include "record/cast.h"
#include "record/reference.h"
#include "node/peer.h"

/* A gem's columns for ids have 32 bits. */
#define GEM_ID_MAX APR_INT64_C(2147483647)

/* Messages that are read together to count them. */
#define BLOCK_MESSAGES 500
#define BLOCK_BYTES    (4 * 1024 * 1024)

/* Return whether ID is an integer that a gem can keep. */
static int is_gem_id(const char *id)
{
    cm_value_t value = {CM_TEXT, id, strlen(id)};
    apr_int64_t number;
    char text[24] = "";

    if (!cm_json_integer(&number, &value) || number > GEM_ID_MAX ||
        number < -GEM_ID_MAX)
        return 0;
    apr_snprintf(text, sizeof(text), "%" APR_INT64_T_FMT, number);
    return !strcmp(text, id);
}

/* Replace a reference by the gem's own id, which only records that the gem
 * created have. Return why that is not possible, or NULL. */
static const char *place_reference(cm_attribute_t *attribute, const char *peer)
{
    const char *id = attribute->reference.original_id;

    if (strcmp(attribute->reference.origin, peer) || !is_gem_id(id))
        return "it refers to a record that the gem does not know by id";
    attribute->value.kind = CM_NUMBER;
    attribute->value.data = id;
    attribute->value.size = strlen(id);
    return NULL;
}

/* Return why ATTRIBUTE cannot be sent to a gem, or NULL. */
static const char *adapt(cm_attribute_t *attribute, const cm_table_t *table,
                         const char *peer, apr_pool_t *pool)
{
    const cm_column_t *column =
        table ? cm_table_column(table, attribute->name) : NULL;
    cm_value_t *value = &attribute->value;

    if (!strcmp(attribute->name, "id"))
        value->kind = CM_ABSENT; /* the gem would take it for its own id */
    if (attribute->reference_model)
        return place_reference(attribute, peer);
    if (column && column->none && value->kind == CM_NULL)
        *value =
            cm_canonical_normalise(column, cm_reference_none(column), pool);
    if (column)
        return cm_cast_to_gem(column, value, pool);
    return value->kind == CM_TEXT && memchr(value->data, '\0', value->size)
               ? CM_CAST_NUL
               : NULL;
}

void cm_gem_fit(cm_outgoing_t *row, const char *peer, apr_pool_t *result_pool)
{
    cm_message_t *message = &row->message;
    const char *id = message->identity.original_id;
    int i;

    if (message->action == CM_DELETE)
        row->held = "a gem knows no deletes";
    else if (id && !is_gem_id(id))
        row->held = "a gem takes only numbers of 32 bits for ids";
    for (i = 0; !row->held && i < message->attributes->nelts; i++)
        row->held =
            adapt(&APR_ARRAY_IDX(message->attributes, i, cm_attribute_t),
                  row->table, peer, result_pool);
}

/* Find the message number WANTED, counting from *FIRST_ID, the first message
 * after *AFTER, up to UNTIL (0: the end). *AFTER and *FIRST_ID move to its
 * place. */
static cm_error_t *count_forward(apr_int64_t *after, apr_int64_t *first_id,
                                 cm_node_t *node, const char *peer,
                                 apr_int64_t wanted, apr_int64_t until,
                                 apr_pool_t *scratch_pool)
{
    apr_pool_t *iterpool;
    cm_batch_t *batch;
    int more = 1;

    apr_pool_create(&iterpool, scratch_pool);
    while (more && *first_id < wanted && (!until || *after < until)) {
        cm_reading_t reading = {.peer = peer,
                                .after = *after,
                                .until = until,
                                .limits = {BLOCK_MESSAGES, BLOCK_BYTES},
                                .fit = cm_gem_fit};

        apr_pool_clear(iterpool);
        if (wanted - *first_id < reading.limits.messages)
            reading.limits.messages = (int)(wanted - *first_id);
        CM_TRY(cm_outbox_read(&batch, node, &reading, iterpool, iterpool));
        *first_id += batch->messages->nelts;
        *after = batch->last;
        more = batch->more;
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Find the message number WANTED, which PEER has confirmed: begin so far back
 * that there are enough messages in between. */
static cm_error_t *count_back(apr_int64_t *after, apr_int64_t *first_id,
                              cm_node_t *node, const cm_peer_t *peer,
                              apr_int64_t wanted, apr_pool_t *scratch_pool)
{
    apr_int64_t need = peer->confirmed_id - wanted + 1, span = need, start;

    for (;; span *= 2) {
        apr_int64_t at, count = 0;

        start = span < peer->confirmed ? peer->confirmed - span : 0;
        at = start;
        CM_TRY(count_forward(&at, &count, node, peer->name, APR_INT64_MAX,
                             peer->confirmed, scratch_pool));
        if (count >= need || !start) {
            *after = start;
            *first_id = peer->confirmed_id - count + 1;
            break;
        }
    }
    if (*first_id >= wanted)
        return NULL;
    return count_forward(after, first_id, node, peer->name, wanted,
                         peer->confirmed, scratch_pool);
}

/* Say whether PEER may hold messages before number ID that a gem here has sent:
 * their numbers were their ids, which have gaps. What we have sent since is
 * counted; then some is sent once more. */
static cm_error_t *is_of_gems_time(int *is, cm_node_t *node,
                                   const cm_peer_t *peer, apr_int64_t id,
                                   apr_pool_t *pool)
{
    apr_int64_t migrated_seq;

    *is = 0;
    if (peer->confirmed != peer->confirmed_id || id <= peer->confirmed_id + 1)
        return NULL;
    CM_TRY(cm_node_migrated_seq(&migrated_seq, node, pool));
    *is = id <= migrated_seq + 1;
    return NULL;
}

cm_error_t *cm_gem_seek(apr_int64_t *after, apr_int64_t *first_id,
                        cm_node_t *node, const char *peer, apr_int64_t id,
                        apr_pool_t *scratch_pool)
{
    cm_peer_t *row;
    int is_old;

    CM_TRY(cm_peer_load(&row, node, peer, 0, scratch_pool));
    *after = row->confirmed;
    *first_id = row->confirmed_id + 1;
    if (id < 1)
        id = 1;
    CM_TRY(is_of_gems_time(&is_old, node, row, id, scratch_pool));
    if (is_old) {
        *after = id - 1;
        *first_id = id;
        return NULL;
    }
    if (id <= row->confirmed_id && row->confirmed)
        return count_back(after, first_id, node, row, id, scratch_pool);
    return count_forward(after, first_id, node, peer, id, 0, scratch_pool);
}

/* Return whether PEER never got anything from here. */
static int is_untouched(const cm_peer_t *peer)
{
    return !peer->confirmed && !peer->confirmed_id && !peer->sent;
}

static cm_error_t *begin_after(cm_node_t *node, const char *name,
                               apr_int64_t id, apr_pool_t *pool)
{
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, node, name, 1, pool));
    if (!is_untouched(peer))
        return NULL;
    peer->confirmed_id = id;
    return cm_peer_save(node, peer, pool);
}

cm_error_t *cm_gem_begin(apr_int64_t *after, apr_int64_t *first_id,
                         cm_node_t *node, const char *peer, apr_int64_t id,
                         apr_pool_t *scratch_pool)
{
    cm_peer_t *row;

    if (id < 2 || *first_id < 2 || id > GEM_ID_MAX / 2)
        return NULL;
    CM_TRY(cm_peer_load(&row, node, peer, 0, scratch_pool));
    if (!is_untouched(row))
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    CM_TRY(cm_transaction_end(node->store,
                              begin_after(node, peer, id - 1, scratch_pool),
                              scratch_pool));
    *after = 0;
    *first_id = id;
    return NULL;
}

static cm_error_t *raise_sent(cm_node_t *node, const char *name,
                              apr_int64_t seq, apr_pool_t *pool)
{
    cm_peer_t *peer;

    CM_TRY(cm_peer_load(&peer, node, name, 1, pool));
    if (peer->sent >= seq)
        return NULL;
    peer->sent = seq;
    return cm_peer_save(node, peer, pool);
}

cm_error_t *cm_gem_note_sent(cm_node_t *node, const char *peer, apr_int64_t seq,
                             apr_pool_t *scratch_pool)
{
    cm_peer_t *row;

    CM_TRY(cm_peer_load(&row, node, peer, 0, scratch_pool));
    if (row->sent >= seq)
        return NULL;
    CM_TRY(cm_transaction_begin(node->store, scratch_pool));
    return cm_transaction_end(
        node->store, raise_sent(node, peer, seq, scratch_pool), scratch_pool);
}
