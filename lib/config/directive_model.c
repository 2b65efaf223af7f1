/* CommunicatorModel NAME key=value... */
#include "config/directive_take.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "config/option.h"

static cm_error_t *take_table(void *target, const char *value, apr_pool_t *pool)
{
    ((cm_model_t *)target)->table = apr_pstrdup(pool, value);
    return NULL;
}

static cm_error_t *take_key(void *target, const char *value, apr_pool_t *pool)
{
    ((cm_model_t *)target)->key = apr_pstrdup(pool, value);
    return NULL;
}

static cm_error_t *take_direction(void *target, const char *value,
                                  apr_pool_t *pool)
{
    static const char *const directions[] = {"both", "receive", "publish",
                                             NULL};
    cm_model_t *model = target;
    int choice;

    CM_TRY(cm_option_choice(&choice, value, directions, pool));
    model->receives = choice != 2;
    model->publishes = choice != 1;
    return NULL;
}

static cm_error_t *take_except(void *target, const char *value,
                               apr_pool_t *pool)
{
    return cm_option_list(((cm_model_t *)target)->except, value, pool);
}

static cm_error_t *take_only(void *target, const char *value, apr_pool_t *pool)
{
    return cm_option_list(((cm_model_t *)target)->only, value, pool);
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

static cm_error_t *take_match(void *target, const char *value, apr_pool_t *pool)
{
    return cm_option_list(((cm_model_t *)target)->match, value, pool);
}

static cm_error_t *take_keys(void *target, const char *value, apr_pool_t *pool)
{
    static const char *const kinds[] = {"mapped", "shared", NULL};

    return cm_option_choice(&((cm_model_t *)target)->shared_keys, value, kinds,
                            pool);
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

static cm_error_t *take_deletes(void *target, const char *value,
                                apr_pool_t *pool)
{
    static const char *const answers[] = {"no", "yes", NULL};

    return cm_option_choice(&((cm_model_t *)target)->deletes, value, answers,
                            pool);
}

static const cm_option_t options[] = {
    {"table", take_table},
    {"key", take_key},
    {"direction", take_direction},
    {"except", take_except},
    {"only", take_only},
    {"references", take_references},
    {"keys", take_keys},
    {"match", take_match},
    {"conflict", take_conflict},
    {"deletes", take_deletes},
    {NULL, NULL},
};

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
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not a model's name (small letters, digits, "
                       "'_')",
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
