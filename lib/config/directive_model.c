/* CommunicatorModel NAME key=value... */
#include "config/directive_internal.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "config/option.h"

static const char *const directions[] = {"both", "receive", "publish", NULL};
static const char *const key_kinds[] = {"mapped", "shared", NULL};
static const char *const answers[] = {"no", "yes", NULL};

static cm_error_t *take_direction(void *target, const char *value,
                                  apr_pool_t *pool)
{
    cm_model_t *model = target;
    int choice;

    CM_TRY(cm_option_choice(&choice, value, directions, pool));
    model->receives = choice != 2;
    model->publishes = choice != 1;
    return NULL;
}

static const char *print_direction(const void *target, apr_pool_t *pool)
{
    const cm_model_t *model = target;

    (void)pool;
    return directions[!model->receives ? 2 : !model->publishes];
}

static cm_error_t *take_references(void *target, const char *value,
                                   apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 2, sizeof(char *));
    cm_reference_t *reference;
    const char *pair, *colon;
    int i;

    CM_TRY(cm_option_list(pairs, value, pool));
    for (i = 0; i < pairs->nelts; i++) {
        pair = APR_ARRAY_IDX(pairs, i, const char *);
        colon = strrchr(pair, ':');
        if (!colon || colon == pair || !cm_option_is_model_name(colon + 1))
            return CM_FAIL(pool, CM_CONFIG,
                           "'%s' is not COLUMN:MODEL, as in "
                           "author_id:author",
                           pair);
        reference = apr_array_push(((cm_model_t *)target)->references);
        reference->column = apr_pstrmemdup(pool, pair, colon - pair);
        reference->model = colon + 1;
    }
    return NULL;
}

static const char *print_references(const void *target, apr_pool_t *pool)
{
    const cm_model_t *model = target;
    const char *text = NULL;
    int i;

    for (i = 0; i < model->references->nelts; i++) {
        const cm_reference_t *one =
            &APR_ARRAY_IDX(model->references, i, cm_reference_t);

        text = apr_pstrcat(pool, text ? text : "", text ? "," : "", one->column,
                           ":", one->model, NULL);
    }
    return text;
}

static cm_error_t *take_conflict(void *target, const char *value,
                                 apr_pool_t *pool)
{
    cm_model_t *model = target;

    if (!strcasecmp(value, "newest"))
        model->conflict = CM_CONFLICT_NEWEST;
    else if (!strcasecmp(value, "hold"))
        model->conflict = CM_CONFLICT_HOLD;
    else if (cm_option_is_node_name(value)) {
        model->conflict = CM_CONFLICT_NODE;
        model->conflict_node = apr_pstrdup(pool, value);
    }
    else
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not newest, hold or the name of a node", value);
    return NULL;
}

static const char *print_conflict(const void *target, apr_pool_t *pool)
{
    const cm_model_t *model = target;

    (void)pool;
    switch (model->conflict) {
    case CM_CONFLICT_NEWEST:
        return "newest";
    case CM_CONFLICT_NODE:
        return model->conflict_node;
    case CM_CONFLICT_HOLD:
        break;
    }
    return "hold";
}

static const cm_option_t options[] = {
    {CM_OPTION("table", TEXT, cm_model_t, table)},
    {CM_OPTION("key", TEXT, cm_model_t, key)},
    {.key = "direction",
     .kind = CM_OPTION_OWN,
     .take = take_direction,
     .print = print_direction},
    {CM_OPTION("except", NAMES, cm_model_t, except)},
    {CM_OPTION("only", NAMES, cm_model_t, only)},
    {.key = "references",
     .kind = CM_OPTION_OWN,
     .take = take_references,
     .print = print_references},
    {CM_OPTION("keys", WORD, cm_model_t, shared_keys), .words = key_kinds},
    {CM_OPTION("match", NAMES, cm_model_t, match)},
    {.key = "conflict",
     .kind = CM_OPTION_OWN,
     .take = take_conflict,
     .print = print_conflict},
    {CM_OPTION("deletes", WORD, cm_model_t, deletes), .words = answers},
    {.key = NULL}};

/* "blog_post" -> "BlogPost", as Rails names the class. */
static const char *camelize(const char *name, apr_pool_t *pool)
{
    char *type = apr_palloc(pool, strlen(name) + 1);
    char *to = type;
    int upper = 1;

    for (; *name; name++) {
        if (*name == '_' && name[1]) {
            name++;
            upper = 1;
        }
        *to++ = upper ? apr_toupper(*name) : *name;
        upper = 0;
    }
    *to = '\0';
    return type;
}

static cm_model_t *model_create(const char *name, cm_place_t place,
                                apr_pool_t *pool)
{
    cm_model_t *model = apr_pcalloc(pool, sizeof(*model));

    model->name = apr_pstrdup(pool, name);
    model->type = camelize(name, pool);
    model->key = "id";
    model->receives = model->publishes = 1;
    model->except = apr_array_make(pool, 2, sizeof(const char *));
    model->only = apr_array_make(pool, 2, sizeof(const char *));
    model->match = apr_array_make(pool, 2, sizeof(const char *));
    model->references = apr_array_make(pool, 2, sizeof(cm_reference_t));
    model->conflict = CM_CONFLICT_NEWEST;
    model->deletes = 1;
    model->place = place;
    return model;
}

cm_error_t *cm_directive_model_take(cm_settings_t *settings, int count,
                                    const char *const *words, cm_place_t place,
                                    apr_pool_t *pool)
{
    cm_model_t *model;

    if (!cm_option_is_model_name(words[0]))
        return CM_FAIL(
            pool, CM_CONFIG,
            "'%s' is not a model name (lower case letters, digits, '_')",
            words[0]);
    model = model_create(words[0], place, pool);
    CM_TRY_FOR(cm_option_take(model, options, count - 1, words + 1, pool), pool,
               "model '%s'", model->name);
    if (!model->table)
        return CM_FAIL(pool, CM_CONFIG,
                       "model '%s' has no table=", model->name);
    APR_ARRAY_PUSH(settings->models, cm_model_t *) = model;
    return NULL;
}

void cm_directive_model_print(cm_buffer_t *out, const cm_model_t *model)
{
    cm_buffer_raw(out, "CommunicatorModel ");
    cm_buffer_raw(out, model->name);
    cm_option_print(out, model, options);
}
