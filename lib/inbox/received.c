/* The history of what was received: see received.h. */
#include "inbox/received.h"

#include "store/bulk.h"
#include "record/message.h"
#include "record/packed.h"

/* The text of one row: what reads it needs some ten times as much memory. */
#define PIECE_BYTES (1024 * 1024)

/* Messages that become one row. */
typedef struct piece_t {
    const apr_array_header_t *messages;
    const cm_buffer_t *packed; /* all of these, as they came; or NULL */
    int begin, end;
    apr_int64_t first, last; /* their numbers */
    apr_size_t size;
} piece_t;

/* Take messages into PIECE from its begin on. A gem's may be in any order. */
static void fill(piece_t *piece)
{
    const cm_message_t *message;

    piece->size = 1;
    for (piece->end = piece->begin; piece->end < piece->messages->nelts;
         piece->end++) {
        message = APR_ARRAY_IDX(piece->messages, piece->end, cm_message_t *);
        if (piece->end > piece->begin &&
            piece->size + message->text_size >= PIECE_BYTES)
            break;
        if (piece->end == piece->begin || message->id < piece->first)
            piece->first = message->id;
        if (piece->end == piece->begin || message->id > piece->last)
            piece->last = message->id;
        piece->size += message->text_size + 1;
    }
}

/* Return the messages of PIECE as a JSON list, packed if that is worth it. */
static const cm_buffer_t *pack(const piece_t *piece, apr_pool_t *pool)
{
    cm_buffer_t *text = cm_buffer_create(piece->size + 1, pool);
    int i;

    for (i = piece->begin; i < piece->end; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(piece->messages, i, cm_message_t *);

        cm_buffer_append(text, i == piece->begin ? "[" : ",", 1);
        cm_buffer_append(text, message->text, message->text_size);
    }
    cm_buffer_append(text, "]", 1);
    return cm_packed_wire(text, pool);
}

/* Return what the column wire holds of PIECE; NULL when a statement cannot be
 * so large. */
static cm_datum_t wire_of(const piece_t *piece, const cm_store_t *store,
                          apr_pool_t *pool)
{
    const int is_all = piece->end - piece->begin == piece->messages->nelts;
    const cm_buffer_t *wire =
        piece->packed && is_all ? piece->packed : pack(piece, pool);

    if (wire->size > cm_store_most_bytes(store))
        return cm_datum_text(NULL);
    return (cm_datum_t){wire->data, wire->size, CM_DATUM_BYTES};
}

/* A row that is there already stays: history never holds up a message. */
static cm_error_t *insert(cm_node_t *node, const char *peer,
                          const piece_t *piece, apr_int64_t at,
                          apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {
        {"peer", "text"},          {"first_seq", "bigint"},
        {"last_seq", "bigint"},    {"messages", "integer"},
        {"received_at", "bigint"}, {"wire", "bytea"}};
    cm_bulk_t *bulk =
        cm_bulk_create("communicator_received", columns,
                       sizeof(columns) / sizeof(*columns), 2, pool);

    cm_bulk_row(bulk, "tnnnnd", peer, piece->first, piece->last,
                (apr_int64_t)(piece->end - piece->begin), at,
                node->history == CM_HISTORY_PACKED
                    ? wire_of(piece, node->store, pool)
                    : cm_datum_text(NULL));
    return cm_bulk_insert(NULL, node->store, bulk, CM_PRESENT_KEEP, pool);
}

cm_error_t *cm_inbox_received_keep(cm_node_t *node, const char *peer,
                                   const apr_array_header_t *messages,
                                   const cm_buffer_t *packed, apr_int64_t at,
                                   apr_pool_t *scratch_pool)
{
    piece_t piece = {.messages = messages, .packed = packed};
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    for (; piece.begin < messages->nelts; piece.begin = piece.end) {
        cm_error_t *err;

        apr_pool_clear(iterpool);
        fill(&piece);
        err = insert(node, peer, &piece, at, iterpool);
        if (err)
            return cm_error_copy(err, scratch_pool);
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
