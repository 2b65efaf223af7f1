/* Several identities of one record: see aliases.h. */
#include "outbox/aliases.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"
#include "outbox/append.h"

/* An identity of a deleted record. */
typedef struct grave_t {
    const cm_burial_t *burial;
    cm_identity_t identity;
} grave_t;

int cm_aliases_compare(cm_identity_t a, cm_identity_t b)
{
    int order = strcmp(a.origin, b.origin);

    return order ? order : strcmp(a.original_id, b.original_id);
}

/* Add to GRAVES the aliases of those of TYPE from FIRST to LAST - 1. */
static cm_error_t *add_aliases_of(apr_array_header_t *graves, int first,
                                  int last, const char *type, cm_node_t *node,
                                  apr_pool_t *pool)
{
    apr_array_header_t *identities =
        apr_array_make(pool, last - first, sizeof(cm_identity_t));
    apr_hash_t *burials = apr_hash_make(pool);
    apr_array_header_t *aliases;
    int i;

    for (i = first; i < last; i++) {
        const grave_t *grave = &APR_ARRAY_IDX(graves, i, grave_t);

        if (strcmp(grave->burial->model->type, type))
            continue;
        APR_ARRAY_PUSH(identities, cm_identity_t) = grave->identity;
        apr_hash_set(burials, cm_identity_key(grave->identity, pool),
                     APR_HASH_KEY_STRING, grave->burial);
    }
    CM_TRY(cm_mapping_aliases(&aliases, node, type, identities, pool));
    for (i = 0; i < aliases->nelts; i++) {
        const cm_mapping_t *alias = APR_ARRAY_IDX(aliases, i, cm_mapping_t *);

        APR_ARRAY_PUSH(graves, grave_t) = (grave_t){
            apr_hash_get(burials, cm_identity_key(alias->same_as, pool),
                         APR_HASH_KEY_STRING),
            alias->identity};
    }
    return NULL;
}

/* Add to GRAVES the aliases of those from FIRST on; each may have aliases of
 * its own. Without match= there are none, and no index to find them by. */
static cm_error_t *add_aliases(apr_array_header_t *graves, int first,
                               cm_node_t *node, apr_pool_t *pool)
{
    cm_id_set_t *types = cm_id_set_create(4, pool);
    const int last = graves->nelts;
    int i;

    for (i = first; i < last; i++) {
        const cm_model_t *model =
            APR_ARRAY_IDX(graves, i, grave_t).burial->model;

        if (model->columns.match->nelts)
            cm_id_set_add(types, model->type);
    }
    for (i = 0; i < types->ids->nelts; i++)
        CM_TRY(add_aliases_of(graves, first, last,
                              APR_ARRAY_IDX(types->ids, i, const char *), node,
                              pool));
    return NULL;
}

/* Set *TEXT to the base that says what is known here of each column of the
 * record in BURIAL. */
static cm_error_t *base_of(const char **text, cm_node_t *node,
                           const cm_burial_t *burial, apr_pool_t *pool)
{
    const cm_clocks_t *clocks = &burial->mapping.clocks;
    cm_clocks_t base = {.clock = clocks->clock,
                        .elsewhere = cm_clocks_elsewhere(clocks)};
    const cm_table_t *table;
    int i;

    CM_TRY(cm_node_table(&table, node, burial->model, pool));
    for (i = 0; i < table->column_count; i++) {
        const char *name = table->columns[i].name;

        if (table->columns[i].carried)
            cm_clocks_name(&base, name, cm_clocks_of(clocks, name), pool);
    }
    *text = cm_clocks_base(&base, pool);
    return NULL;
}

static cm_error_t *add_delete(cm_bulk_t *list, cm_node_t *node,
                              const grave_t *grave, apr_int64_t seq,
                              apr_pool_t *pool)
{
    const cm_burial_t *burial = grave->burial;
    cm_append_t message =
        cm_append_delete(burial->model, grave->identity, pool);
    const cm_message_t names = {.model = burial->model->name,
                                .counterpart = burial->heir};

    message.seq = seq;
    message.changed = NULL;
    message.clock = burial->clock;
    CM_TRY(base_of(&message.base, node, burial, pool));
    message.refs = cm_message_write_refs(&names, pool);
    cm_append_add(list, &message);
    return NULL;
}

/* Return whether the delete of GRAVE has been written, or sent by the peer that
 * holds it, under its identity. A hub forwards a peer's delete under the
 * identity that stayed, which is not always the one that the peer named. */
static int is_sent(const grave_t *grave, int is_hub)
{
    const cm_burial_t *burial = grave->burial;
    const cm_identity_t stayed = burial->mapping.identity;

    if (burial->unsent)
        return 0;
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
            CM_TRY(add_delete(list, node, grave, ++*last_seq, pool));
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
            (grave_t){burial, burial->mapping.identity};
    }
    while (first < graves->nelts) {
        const int count = graves->nelts;

        CM_TRY(add_aliases(graves, first, node, scratch_pool));
        first = count;
    }
    return write_graves(last_seq, node, graves, scratch_pool);
}
