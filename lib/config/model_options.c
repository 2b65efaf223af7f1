/* CommunicatorModel: see model_options.h. */
#include "config/model_options.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

static const char *const directions[] = {"both", "receive", "publish", NULL};
static const char *const key_kinds[] = {"mapped", "shared", NULL};
static const char *const new_keys[] = {"default", "max", NULL};

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

/* Read TEXT, COLUMN:MODEL or COLUMN:{COLUMN}, and ?NONE behind it. */
static cm_error_t *take_reference(cm_reference_t *reference, const char *text,
                                  apr_pool_t *pool)
{
    const char *mark = strchr(text, '?');
    const char *pair = mark ? apr_pstrmemdup(pool, text, mark - text) : text;
    const char *colon = strrchr(pair, ':');
    apr_size_t size = colon ? strlen(colon) : 0;
    const int names = size > 3 && colon[1] == '{' && colon[size - 1] == '}';

    if (!colon || colon == pair ||
        (!names && !cm_option_is_model_name(colon + 1)))
        return CM_FAIL(pool, CM_CONFIG,
                       "'%s' is not COLUMN:MODEL, as in author_id:author, "
                       "COLUMN:MODEL?NONE, as in author_id:author?0, or "
                       "COLUMN:{COLUMN}, as in subject_id:{subject_type}",
                       text);
    reference->column = apr_pstrmemdup(pool, pair, colon - pair);
    reference->model = names ? NULL : colon + 1;
    reference->type = names ? apr_pstrmemdup(pool, colon + 2, size - 3) : NULL;
    reference->none = mark ? mark + 1 : NULL;
    return NULL;
}

static cm_error_t *take_references(void *target, const char *value,
                                   apr_pool_t *pool)
{
    apr_array_header_t *pairs = apr_array_make(pool, 2, sizeof(char *));
    apr_array_header_t *references = ((cm_model_t *)target)->columns.references;
    int i;

    CM_TRY(cm_option_list(pairs, value, pool));
    for (i = 0; i < pairs->nelts; i++)
        CM_TRY(take_reference(apr_array_push(references),
                              APR_ARRAY_IDX(pairs, i, const char *), pool));
    return NULL;
}

static const char *print_references(const void *target, apr_pool_t *pool)
{
    const cm_model_t *model = target;
    const char *text = NULL;
    int i;

    for (i = 0; i < model->columns.references->nelts; i++)
        text = apr_pstrcat(
            pool, text ? text : "", text ? "," : "",
            cm_settings_reference_text(
                &APR_ARRAY_IDX(model->columns.references, i, cm_reference_t),
                pool),
            NULL);
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

/* "blog_post" -> "BlogPost", "blog/post" -> "Blog::Post", as Rails names the
 * class. */
static const char *camelize(const char *name, apr_pool_t *pool)
{
    char *type = apr_palloc(pool, 2 * strlen(name) + 1);
    char *to = type;
    int upper = 1;

    for (; *name; name++) {
        if (*name == '_' && name[1]) {
            name++;
            upper = 1;
        }
        if (*name == '/') {
            *to++ = ':';
            *to++ = ':';
            upper = 1;
            continue;
        }
        *to++ = upper ? apr_toupper(*name) : *name;
        upper = 0;
    }
    *to = '\0';
    return type;
}

static cm_error_t *take_class(void *target, const char *value, apr_pool_t *pool)
{
    CM_TRY(cm_option_check_class(value, pool));
    ((cm_model_t *)target)->type = apr_pstrdup(pool, value);
    return NULL;
}

/* The class of that name in Rails need not be written. */
static const char *print_class(const void *target, apr_pool_t *pool)
{
    const cm_model_t *model = target;

    return strcmp(model->type, camelize(model->name, pool)) ? model->type
                                                            : NULL;
}

/* Refuse a table= that can be read in more than one way, or in none. */
static cm_error_t *check_table(const char *value, apr_pool_t *pool)
{
    const char *dot = strchr(value, '.');

    if (!dot || (dot > value && dot[1] && !strchr(dot + 1, '.')))
        return NULL;
    return CM_FAIL(pool, CM_CONFIG,
                   "'%s' is not TABLE or SCHEMA.TABLE. If the name of a schema "
                   "has a dot, let the search_path of the login of DBDParams "
                   "begin with it, and write TABLE alone",
                   value);
}

static const char *const publishers[] = {"triggers", "application", NULL};
static const char *const leaves[] = {"keep", "delete", NULL};

const cm_option_t cm_model_options[] = {
    {CM_OPTION("table", TEXT, cm_model_t, table), .check = check_table},
    {CM_OPTION("key", NAMES, cm_model_t, columns.key)},
    {.key = "direction",
     .kind = CM_OPTION_OWN,
     .take = take_direction,
     .print = print_direction},
    {.key = "class",
     .kind = CM_OPTION_OWN,
     .take = take_class,
     .print = print_class},
    {CM_OPTION("publish", WORD, cm_model_t, by_application),
     .words = publishers, .quiet = 1},
    {CM_OPTION("except", NAMES, cm_model_t, columns.except)},
    {CM_OPTION("except-receive", NAMES, cm_model_t, columns.except_receive)},
    {CM_OPTION("only", NAMES, cm_model_t, columns.only)},
    {.key = "references",
     .kind = CM_OPTION_OWN,
     .take = take_references,
     .print = print_references},
    {CM_OPTION("keys", WORD, cm_model_t, shared), .words = key_kinds},
    {CM_OPTION("newkey", WORD, cm_model_t, counts_keys), .words = new_keys,
     .quiet = 1},
    {CM_OPTION("match", NAMES, cm_model_t, columns.match)},
    {.key = "conflict",
     .kind = CM_OPTION_OWN,
     .take = take_conflict,
     .print = print_conflict},
    {CM_OPTION("deletes", WORD, cm_model_t, deletes),
     .words = cm_option_answers},
    {CM_OPTION("where", TEXT, cm_model_t, where),
     .check = cm_option_check_quotes},
    {CM_OPTION("leave", WORD, cm_model_t, leave_deletes), .words = leaves,
     .quiet = 1},
    {.key = NULL}};

static cm_model_t *create_model(const char *name, cm_place_t place,
                                apr_pool_t *pool)
{
    cm_model_t *model = apr_pcalloc(pool, sizeof(*model));

    model->name = apr_pstrdup(pool, name);
    model->type = camelize(name, pool);
    model->receives = model->publishes = 1;
    model->columns.key = apr_array_make(pool, 1, sizeof(const char *));
    model->columns.except = apr_array_make(pool, 2, sizeof(const char *));
    model->columns.except_receive =
        apr_array_make(pool, 2, sizeof(const char *));
    model->columns.only = apr_array_make(pool, 2, sizeof(const char *));
    model->columns.match = apr_array_make(pool, 2, sizeof(const char *));
    model->columns.references = apr_array_make(pool, 2, sizeof(cm_reference_t));
    model->conflict = CM_CONFLICT_NEWEST;
    model->deletes = 1;
    model->place = place;
    return model;
}

cm_error_t *cm_model_options_take(cm_settings_t *settings, int count,
                                  const char *const *words, cm_place_t place,
                                  apr_pool_t *pool)
{
    cm_model_t *model;

    if (!cm_option_is_model_name(words[0]))
        return CM_FAIL(
            pool, CM_CONFIG,
            "'%s' is not a model name (lower case letters, digits, '_', '/')",
            words[0]);
    model = create_model(words[0], place, pool);
    CM_TRY_FOR(
        cm_option_take(model, cm_model_options, count - 1, words + 1, pool),
        pool, "model '%s'", model->name);
    if (!model->table)
        return CM_FAIL(pool, CM_CONFIG,
                       "model '%s' has no table=", model->name);
    if (!model->columns.key->nelts)
        APR_ARRAY_PUSH(model->columns.key, const char *) = "id";
    model->key = apr_array_pstrcat(pool, model->columns.key, ',');
    model->shared_keys = model->shared;
    APR_ARRAY_PUSH(settings->models, cm_model_t *) = model;
    return NULL;
}
