/* Several identities of one record: see aliases.h. */
#include "outbox/aliases.h"

#include <string.h>

#include <apr_strings.h>

#include "outbox/append.h"

/* An identity of a deleted record. */
typedef struct grave_t {
    const cm_burial_t *burial;
    apr_int64_t id; /* of the mapping */
    cm_identity_t identity;
} grave_t;

int cm_aliases_compare(cm_identity_t a, cm_identity_t b)
{
    int order = strcmp(a.origin, b.origin);

    return order ? order : strcmp(a.original_id, b.original_id);
}

/* Add to GRAVES the aliases of those from FIRST on; each may have aliases of
 * its own. */
static cm_error_t *add_aliases(apr_array_header_t *graves, int first,
                               cm_node_t *node, apr_pool_t *pool)
{
    static const cm_bulk_column_t columns[] = {{"same_as", "bigint"}};
    cm_bulk_t *keys =
        cm_bulk_create("communicator_mappings", columns, 1, 1, pool);
    apr_hash_t *by_id = apr_hash_make(pool);
    int count = graves->nelts, i;
    cm_rows_t *rows;

    for (i = first; i < count; i++) {
        const grave_t *grave = &APR_ARRAY_IDX(graves, i, grave_t);
        apr_int64_t *id = apr_pmemdup(pool, &grave->id, sizeof(grave->id));

        apr_hash_set(by_id, id, sizeof(*id), grave->burial);
        cm_bulk_row(keys, "n", *id);
    }
    if (!cm_bulk_rows(keys))
        return NULL;
    CM_TRY(cm_bulk_select(&rows, node->store,
                          "t.id, t.same_as, t.origin, t.original_id", keys,
                          NULL, 0, pool));
    for (i = 0; i < rows->count; i++) {
        apr_int64_t same_as = cm_cell_number(rows, i, 1);

        APR_ARRAY_PUSH(graves, grave_t) =
            (grave_t){apr_hash_get(by_id, &same_as, sizeof(same_as)),
                      cm_cell_number(rows, i, 0),
                      {cm_cell_text(rows, i, 2), cm_cell_text(rows, i, 3)}};
    }
    return NULL;
}

static void add_delete(cm_bulk_t *list, const grave_t *grave, apr_int64_t seq,
                       apr_pool_t *pool)
{
    const cm_burial_t *burial = grave->burial;
    cm_append_t message =
        cm_append_delete(burial->model, grave->identity, pool);

    message.seq = seq;
    message.changed = NULL;
    message.clock = burial->clock;
    message.base = apr_psprintf(pool, "%" APR_INT64_T_FMT, burial->base);
    cm_append_add(list, &message);
}

/* Return whether the delete of GRAVE has been written, or sent by the peer that
 * holds it, under its identity. A hub forwards a peer's delete under the
 * identity that stayed, which is not always the one that the peer named. */
static int is_sent(const grave_t *grave, int is_hub)
{
    const cm_burial_t *burial = grave->burial;
    const cm_identity_t stayed = burial->mapping.identity;

    if (burial->by && is_hub && cm_aliases_compare(*burial->by, stayed))
        return 0;
    return !cm_aliases_compare(grave->identity,
                               burial->by ? *burial->by : stayed);
}

static cm_error_t *write_graves(apr_int64_t *last_seq, cm_node_t *node,
                                const apr_array_header_t *graves,
                                apr_pool_t *pool)
{
    const int is_hub = node->settings->peers->nelts > 1;
    cm_bulk_t *list = cm_append_create(pool);
    int i;

    for (i = 0; i < graves->nelts; i++) {
        const grave_t *grave = &APR_ARRAY_IDX(graves, i, grave_t);

        if (!is_sent(grave, is_hub))
            add_delete(list, grave, ++*last_seq, pool);
    }
    return cm_append_write(NULL, node, list, pool);
}

cm_error_t *cm_aliases_bury(apr_int64_t *last_seq, cm_node_t *node,
                            const apr_array_header_t *burials,
                            apr_pool_t *scratch_pool)
{
    apr_array_header_t *graves =
        apr_array_make(scratch_pool, burials->nelts, sizeof(grave_t));
    int first = 0, i;

    for (i = 0; i < burials->nelts; i++) {
        const cm_burial_t *burial = &APR_ARRAY_IDX(burials, i, cm_burial_t);

        APR_ARRAY_PUSH(graves, grave_t) =
            (grave_t){burial, burial->mapping.id, burial->mapping.identity};
    }
    while (first < graves->nelts) {
        const int count = graves->nelts;

        CM_TRY(add_aliases(graves, first, node, scratch_pool));
        first = count;
    }
    return write_graves(last_seq, node, graves, scratch_pool);
}
