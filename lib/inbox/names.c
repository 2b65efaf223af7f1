/* The other names of records: see names.h. */
#include "inbox/names.h"

#include <string.h>

#include "node/mapping.h"

/* The messages about records of one model, by name. */
typedef struct naming_t {
    const cm_model_t *model;
    apr_hash_t *last; /* identity key -> cm_message_t *: of those about the
                         record under any name, the last one */
    apr_array_header_t *names; /* cm_identity_t: whose aliases are not known */
    apr_pool_t *pool;
} naming_t;

/* MESSAGE is about the record that has the name IDENTITY, too. */
static void add_name(naming_t *naming, cm_identity_t identity,
                     const cm_message_t *message)
{
    const char *key = cm_identity_key(identity, naming->pool);
    const cm_message_t *last =
        apr_hash_get(naming->last, key, APR_HASH_KEY_STRING);

    if (last && last->id >= message->id)
        return;
    apr_hash_set(naming->last, key, APR_HASH_KEY_STRING, message);
    APR_ARRAY_PUSH(naming->names, cm_identity_t) = identity;
}

/* Add the names that stayed for the records of MESSAGES. */
static cm_error_t *add_main_names(naming_t *naming, cm_node_t *node,
                                  const apr_array_header_t *messages)
{
    apr_array_header_t *named =
        apr_array_make(naming->pool, messages->nelts, sizeof(cm_identity_t));
    apr_hash_t *found;
    int i;

    for (i = 0; i < messages->nelts; i++)
        APR_ARRAY_PUSH(named, cm_identity_t) =
            APR_ARRAY_IDX(messages, i, cm_message_t *)->identity;
    CM_TRY(cm_mapping_by_identity(&found, node, naming->model->type, named,
                                  naming->pool));
    for (i = 0; i < messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, cm_message_t *);
        const cm_mapping_t *mapping = apr_hash_get(
            found, cm_identity_key(message->identity, naming->pool),
            APR_HASH_KEY_STRING);

        if (mapping)
            add_name(naming, mapping->identity, message);
    }
    return NULL;
}

/* Add the aliases of these; each may have aliases of its own. */
static cm_error_t *add_aliases(naming_t *naming, cm_node_t *node)
{
    while (naming->names->nelts) {
        const apr_array_header_t *names = naming->names;
        apr_array_header_t *aliases;
        int i;

        naming->names = apr_array_make(naming->pool, 4, sizeof(cm_identity_t));
        CM_TRY(cm_mapping_aliases(&aliases, node, naming->model->type, names,
                                  naming->pool));
        for (i = 0; i < aliases->nelts; i++) {
            const cm_mapping_t *alias =
                APR_ARRAY_IDX(aliases, i, cm_mapping_t *);

            add_name(naming, alias->identity,
                     apr_hash_get(naming->last,
                                  cm_identity_key(alias->same_as, naming->pool),
                                  APR_HASH_KEY_STRING));
        }
    }
    return NULL;
}

/* Add to ALL the names of the records of MESSAGES, which are of MODEL. */
static cm_error_t *add_names(apr_array_header_t *all, cm_node_t *node,
                             const cm_model_t *model,
                             const apr_array_header_t *messages,
                             apr_pool_t *pool)
{
    naming_t naming = {
        .model = model,
        .last = apr_hash_make(pool),
        .names = apr_array_make(pool, messages->nelts, sizeof(cm_identity_t)),
        .pool = pool};
    apr_hash_index_t *at;

    CM_TRY(add_main_names(&naming, node, messages));
    CM_TRY(add_aliases(&naming, node));
    for (at = apr_hash_first(pool, naming.last); at; at = apr_hash_next(at)) {
        const cm_message_t *last = apr_hash_this_val(at);
        cm_message_t *named = apr_pcalloc(pool, sizeof(*named));

        named->id = last->id;
        named->model = last->model;
        if (!cm_identity_of_key(&named->identity, apr_hash_this_key(at), pool))
            continue;
        APR_ARRAY_PUSH(all, cm_message_t *) = named;
    }
    return NULL;
}

/* Return those of MESSAGES that are about records of MODEL. */
static apr_array_header_t *about(const cm_model_t *model,
                                 const apr_array_header_t *messages,
                                 apr_pool_t *pool)
{
    apr_array_header_t *those = apr_array_make(pool, 8, sizeof(cm_message_t *));
    int i;

    for (i = 0; i < messages->nelts; i++) {
        cm_message_t *message = APR_ARRAY_IDX(messages, i, cm_message_t *);

        if (message->model && !strcmp(message->model, model->name) &&
            message->identity.origin && message->identity.original_id)
            APR_ARRAY_PUSH(those, cm_message_t *) = message;
    }
    return those;
}

cm_error_t *cm_inbox_names_add(apr_array_header_t **all, cm_node_t *node,
                               const apr_array_header_t *messages,
                               apr_pool_t *result_pool)
{
    const apr_array_header_t *models = node->settings->models;
    int i;

    *all = apr_array_copy(result_pool, messages);
    for (i = 0; i < models->nelts; i++) {
        const cm_model_t *model = APR_ARRAY_IDX(models, i, cm_model_t *);
        const apr_array_header_t *those;

        if (!model->columns.match->nelts)
            continue;
        those = about(model, messages, result_pool);
        if (those->nelts)
            CM_TRY(add_names(*all, node, model, those, result_pool));
    }
    return NULL;
}
