/* Triggers made from the templates in sql/DRIVER/capture.sql: see
 * capture.h. */
#include "schema/capture_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"
#include "schema/expression.h"

/* PostgreSQL has the shortest names. */
#define NAME_MAX_BYTES 63

enum {
    INSERT,
    UPDATE,
    BEFORE, /* an update: where cascades are captured */
    DELETE,
    TRUNCATE, /* fires triggers on PostgreSQL only */
    EVENTS
};
static const char *const events[EVENTS] = {"insert", "update", "before",
                                           "delete", "truncate"};

struct cm_capture_t {
    cm_store_t *store;
    const char *place;    /* where Communicator's tables are */
    const char *monetary; /* PostgreSQL: lc_monetary */
    apr_hash_t *sections; /* of capture.sql: name -> const char * */
    apr_hash_t *nulled;   /* key of a table (section "table_key" of schema.sql)
                             -> "": foreign keys forget a key that changes */
};

/* FNV-1a: names and templates are not secret. */
static apr_uint64_t hash_of(const char *text, apr_uint64_t hash)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * APR_UINT64_C(1099511628211);
    return hash;
}

static const char *hash_text(apr_uint64_t hash, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%016" APR_UINT64_T_HEX_FMT, hash);
}

void cm_capture_set(cm_filling_t *filling, const char *name, const char *value)
{
    apr_hash_set(filling->values, name, APR_HASH_KEY_STRING, value);
}

/* The same for SQL of statements with parameters. */
static void set(cm_filling_t *filling, const char *name, const char *value)
{
    cm_capture_set(filling, name,
                   cm_expression_without_doubling(value, filling->pool));
}

/* Return the name of the trigger for EVENT. Long names end with a hash, and so
 * do those with a schema, which another table could have. */
static const char *trigger_name(const cm_table_t *table, const char *event,
                                apr_pool_t *pool)
{
    const char *full = table->model->table;
    char *name = apr_pstrcat(pool, "communicator_", full, NULL), *dot;
    apr_size_t room = NAME_MAX_BYTES - strlen(event) - 1;

    dot = strchr(name, '.');
    if (dot)
        *dot = '_';
    if (dot || strlen(name) > room) {
        room -= 17;
        while (room < strlen(name) && (name[room] & 0xC0) == 0x80)
            room--;
        if (room < strlen(name))
            name[room] = '\0';
        name = apr_pstrcat(
            pool, name, "_",
            hash_text(hash_of(full, APR_UINT64_C(14695981039346656037)), pool),
            NULL);
    }
    return apr_pstrcat(pool, name, "_", event, NULL);
}

void cm_capture_set_literal(cm_filling_t *filling, const char *name,
                            const char *text)
{
    cm_capture_set(filling, name,
                   cm_store_literal(filling->store, text, filling->pool));
}

/* Return the section that NAME, which has a dot, stands for in a template. */
static const char *shared(const void *sections, const char *name,
                          apr_pool_t *pool)
{
    (void)pool;
    return strchr(name, '.')
               ? apr_hash_get((apr_hash_t *)sections, name, APR_HASH_KEY_STRING)
               : NULL;
}

const char *cm_capture_section(const cm_filling_t *filling, const char *name)
{
    const char *text =
        apr_hash_get(filling->sections, name, APR_HASH_KEY_STRING);

    return text ? cm_sql_fill_by(text, shared, filling->sections, filling->pool)
                : NULL;
}

static apr_hash_t *read_sections(const cm_store_t *store, apr_pool_t *pool)
{
    const apr_array_header_t *list = cm_sql_sections(
        cm_dialect_of_store(store)->driver, "capture.sql", pool);
    apr_hash_t *sections = apr_hash_make(pool);
    int i;

    for (i = 0; i < list->nelts; i++) {
        const cm_sql_section_t *section =
            &APR_ARRAY_IDX(list, i, cm_sql_section_t);

        apr_hash_set(sections, section->name, APR_HASH_KEY_STRING,
                     section->text);
    }
    return sections;
}

cm_error_t *cm_capture_open(cm_capture_t **capture, cm_store_t *store,
                            apr_pool_t *pool)
{
    cm_capture_t *opened = apr_pcalloc(pool, sizeof(*opened));
    cm_rows_t *place, *nulled;
    int i;

    CM_TRY(cm_statement_section(&place, store, "capture.sql", "place", NULL, 0,
                                pool));
    CM_TRY(cm_statement_section(&nulled, store, "capture.sql", "nulled", NULL,
                                0, pool));
    opened->store = store;
    opened->place = cm_cell_text(place, 0, 0);
    opened->monetary = cm_cell_text(place, 0, 1);
    opened->sections = read_sections(store, pool);
    opened->nulled = apr_hash_make(pool);
    for (i = 0; i < nulled->count; i++)
        apr_hash_set(opened->nulled, cm_cell_text(nulled, i, 0),
                     APR_HASH_KEY_STRING, "");
    *capture = opened;
    return NULL;
}

/* Return whether the table of MODEL should have a trigger for EVENT. What an
 * update of a parent's key cascades to is captured before that update itself:
 * BEFORE remembers where that begins. */
static int is_captured(const cm_dialect_t *dialect, const cm_model_t *model,
                       int event)
{
    switch (event) {
    case BEFORE:
        return model->referred && !dialect->cascades_hidden &&
               !model->shared_keys && !cm_settings_model_key_travels(model);
    case DELETE:
        return model->deletes;
    case TRUNCATE:
        return model->deletes && dialect->truncate_fires;
    default:
        return 1;
    }
}

static void set_names(cm_filling_t *filling, const char *place)
{
    const cm_model_t *model = filling->table->model;
    const char *schema = "";
    apr_pool_t *pool = filling->pool;
    cm_datum_t names[2];
    int i;

    for (i = 0; i < EVENTS; i++)
        set(filling, events[i],
            cm_store_quote(filling->store,
                           trigger_name(filling->table, events[i], pool),
                           pool));
    cm_table_names(names, model, pool);
    if (names[0].data)
        schema = apr_pstrcat(
            pool, cm_store_quote(filling->store, names[0].data, pool), ".",
            NULL);
    set(filling, "schema", schema);
    set(filling, "place", cm_store_quote(filling->store, place, pool));
    set(filling, "table", filling->table->quoted);
    cm_capture_set_literal(filling, "applying", model->table);
    cm_capture_set_literal(filling, "model", model->name);
    set(filling, "open",
        cm_expression_name(filling->store, "{", model->name, ":", pool));
    set(filling, "unread",
        cm_expression_name(filling->store, "{", model->name, ":true}", pool));
}

/* The key as text, and whether it changed. */
static void set_key(cm_filling_t *filling)
{
    const cm_types_t *types = filling->types;
    const cm_table_t *table = filling->table;
    const char *key = table->key_text, *differs = "";
    apr_pool_t *pool = filling->pool;
    int i;

    set(filling, "key", key);
    set(filling, "old_key", cm_expression_with_alias(key, types->before, pool));
    set(filling, "new_key", cm_expression_with_alias(key, types->after, pool));
    for (i = 0; i < table->key_count; i++)
        differs = apr_pstrcat(
            pool, differs, i ? " OR " : "",
            types->differs(table->keys[i], types->before, types->after, pool),
            NULL);
    set(filling, "key_differs",
        table->key_count > 1 ? apr_pstrcat(pool, "(", differs, ")", NULL)
                             : differs);
}

/* Find out whether foreign keys forget a key of the table of MODEL that
 * changes. */
static cm_error_t *is_nulled(int *nulled, const cm_capture_t *capture,
                             const cm_model_t *model, apr_pool_t *pool)
{
    cm_rows_t *rows;
    const char *key;

    *nulled = 0;
    if (!apr_hash_count(capture->nulled))
        return NULL;
    CM_TRY(cm_table_ask(&rows, capture->store, "schema.sql", "table_key", model,
                        pool));
    key = cm_cell_text(rows, 0, 0);
    *nulled = key && apr_hash_get(capture->nulled, key, APR_HASH_KEY_STRING);
    return NULL;
}

/* Set NAME to the statements of section update.NAME, filled in, or to nothing,
 * unless they are NEEDED. */
static void set_statements(cm_filling_t *filling, const char *name, int needed)
{
    const char *text = cm_capture_section(
        filling, apr_pstrcat(filling->pool, "update.", name, NULL));

    cm_capture_set(
        filling, name,
        text && needed
            ? apr_pstrcat(filling->pool,
                          cm_sql_fill(text, filling->values, filling->pool),
                          ";", NULL)
            : "");
}

/* Set whether a record stays the same one when its key changes: the key is this
 * database's own affair, and a new record gets another one at the peer. Else it
 * is deleted, and a new one continues it: only where no two rows can have the
 * same key, not even for a while, as one row after the other changes. */
static cm_error_t *set_keeps(cm_filling_t *filling, const cm_capture_t *capture)
{
    const cm_table_t *table = filling->table;
    const cm_column_t *own = cm_table_own_key(table);
    int keeps = own && !table->model->shared_keys && !table->partitioned &&
                (table->key_generated || (own->has_default && !own->nullable));
    int marked =
        is_captured(cm_dialect_of_store(filling->store), table->model, BEFORE);
    int nulled, continues;

    CM_TRY(is_nulled(&nulled, capture, table->model, filling->pool));
    keeps = keeps && !nulled;
    continues = !keeps && !nulled && !table->partitioned &&
                table->key_is_unique && table->model->deletes;
    set(filling, "keeps", keeps ? "1 = 1" : "1 = 0");
    set(filling, "continues", continues ? "1 = 1" : "1 = 0");
    set(filling, "marked", keeps && marked ? "1 = 1" : "1 = 0");
    set_statements(filling, "deleted", table->model->deletes && !continues);
    set_statements(filling, "completed", keeps && marked);
    set_statements(filling, "continued", continues);
    return NULL;
}

int cm_capture_watches(const cm_model_t *model, const cm_column_t *column)
{
    return column->carried ||
           (model->where && !column->generated && !column->is_key);
}

/* Set SQL of the names of the columns that changed, each after a comma, and of
 * whether any did. */
static void set_changed(cm_filling_t *filling)
{
    const cm_types_t *types = filling->types;
    apr_array_header_t *names, *conditions;
    apr_pool_t *pool = filling->pool;
    int i;

    names = apr_array_make(pool, 32, sizeof(const char *));
    conditions = apr_array_make(pool, 32, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = types->names;
    APR_ARRAY_PUSH(names, const char *) = "''";
    APR_ARRAY_PUSH(conditions, const char *) = "(1 = 0";
    for (i = 0; i < filling->table->column_count; i++) {
        const cm_column_t *column = &filling->table->columns[i];
        const char *differs =
            types->differs(column, types->before, types->after, pool);

        if (!cm_capture_watches(filling->table->model, column))
            continue;
        APR_ARRAY_PUSH(conditions, const char *) =
            apr_pstrcat(pool, " OR ", differs, NULL);
        APR_ARRAY_PUSH(names, const char *) = apr_pstrcat(
            pool, types->names_plus, "CASE WHEN ", differs, " THEN ",
            cm_expression_name(filling->store, ",", column->name, "", pool),
            " ELSE '' END", NULL);
    }
    APR_ARRAY_PUSH(names, const char *) = ")";
    APR_ARRAY_PUSH(conditions, const char *) = ")";
    set(filling, "changed", apr_array_pstrcat(pool, names, 0));
    set(filling, "any_differs", apr_array_pstrcat(pool, conditions, 0));
}

/* The row as the table has it now; NEW if it is gone. */
static const char *row_capture(const cm_table_t *table, apr_pool_t *pool)
{
    return apr_pstrcat(
        pool, "coalesce((SELECT ", table->capture, " FROM ", table->quoted,
        " AS t WHERE (", cm_expression_keys(table, "t.", pool), ") = (",
        cm_expression_keys(table, "NEW.", pool), ")), ",
        cm_expression_with_alias(table->capture, "NEW", pool), ")", NULL);
}

/* Whether the table has a row with the key after the update. */
static const char *here(const cm_table_t *table, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "EXISTS (SELECT 1 FROM ", table->quoted,
                       " AS t WHERE (", cm_expression_keys(table, "t.", pool),
                       ") = (", cm_expression_keys(table, "NEW.", pool), "))",
                       NULL);
}

static cm_error_t *fill(cm_filling_t *filling, const cm_capture_t *capture,
                        const cm_table_t *table, apr_pool_t *pool)
{
    filling->store = capture->store;
    filling->table = table;
    filling->types = cm_types_of(cm_dialect_of_store(capture->store));
    filling->sections = capture->sections;
    filling->values = apr_hash_make(pool);
    filling->pool = pool;
    set_names(filling, capture->place);
    set_key(filling);
    set_changed(filling);
    set(filling, "capture", table->capture);
    set(filling, "new_capture",
        cm_expression_with_alias(table->capture, filling->types->after, pool));
    set(filling, "row_capture", row_capture(table, pool));
    set(filling, "deletes", table->model->deletes ? "1 = 1" : "1 = 0");
    set(filling, "here", here(table, pool));
    CM_TRY(set_keeps(filling, capture));
    if (filling->types->fill)
        filling->types->fill(filling, capture->monetary);
    return NULL;
}

/* Append the statements of section NAME, filled in, to ALL, if there is such a
 * section. */
static void add_section(apr_array_header_t *all, const cm_filling_t *filling,
                        const char *name)
{
    const char *text = cm_capture_section(filling, name);
    apr_array_header_t *statements;
    int i;

    if (!text)
        return;
    statements = cm_sql_statements(text, filling->pool);
    for (i = 0; i < statements->nelts; i++)
        APR_ARRAY_PUSH(all, const char *) =
            cm_sql_fill(APR_ARRAY_IDX(statements, i, const char *),
                        filling->values, filling->pool);
}

/* Append the sections of the events that are captured, each with SUFFIX. */
static void add_events(apr_array_header_t *all, const cm_filling_t *filling,
                       const char *suffix)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(filling->store);
    const cm_model_t *model = filling->table->model;
    apr_pool_t *pool = filling->pool;
    int i;

    for (i = 0; i < EVENTS; i++)
        if (is_captured(dialect, model, i))
            add_section(all, filling,
                        apr_pstrcat(pool, events[i], suffix, NULL));
    if (!model->deletes)
        add_section(all, filling, apr_pstrcat(pool, "no-delete", suffix, NULL));
}

static apr_array_header_t *fill_sections(const cm_filling_t *filling)
{
    apr_array_header_t *all =
        apr_array_make(filling->pool, 8, sizeof(const char *));

    add_section(all, filling, "prepare");
    add_events(all, filling, "");
    /* PostgreSQL: the triggers are separate from their functions. */
    add_events(all, filling, ".trigger");
    return all;
}

const char *cm_capture_count(apr_array_header_t *arguments, cm_store_t *store,
                             const cm_model_t *model, apr_pool_t *pool)
{
    cm_datum_t names[2];

    cm_table_names(names, model, pool);
    APR_ARRAY_PUSH(arguments, cm_datum_t) = names[0];
    APR_ARRAY_PUSH(arguments, cm_datum_t) = names[1];
    return apr_pstrcat(pool, "(",
                       cm_sql_section(cm_dialect_of_store(store)->driver,
                                      "capture.sql", "count", pool),
                       ")", NULL);
}

/* Return the mark in each of these STATEMENTS: it distinguishes their triggers
 * from those made for other columns or by another version. They do not depend
 * on where=, but whoever changes that shall run migrate, which says what else
 * to do. */
static const char *mark_of(const apr_array_header_t *statements,
                           const cm_model_t *model, apr_pool_t *pool)
{
    apr_uint64_t hash = APR_UINT64_C(14695981039346656037);
    int i;

    for (i = 0; i < statements->nelts; i++)
        hash = hash_of(APR_ARRAY_IDX(statements, i, const char *), hash);
    if (model->where)
        hash = hash_of(model->where, hash);
    return apr_pstrcat(pool, "communicator ", hash_text(hash, pool), NULL);
}

/* A partition needs its own triggers: what is written to it directly fires none
 * of the table's. */
static cm_error_t *add_partitions(apr_array_header_t *all,
                                  cm_filling_t *filling)
{
    cm_rows_t *rows;
    int i;

    if (!filling->table->partitioned)
        return NULL;
    CM_TRY(cm_table_ask(&rows, filling->store, "capture.sql", "partitions",
                        filling->table->model, filling->pool));
    for (i = 0; i < rows->count; i++) {
        apr_hash_set(filling->values, "table", APR_HASH_KEY_STRING,
                     cm_cell_text(rows, i, 0));
        add_events(all, filling, ".trigger");
    }
    return NULL;
}

cm_error_t *cm_capture_statements(apr_array_header_t **statements,
                                  const cm_capture_t *capture,
                                  const cm_table_t *table, apr_pool_t *pool)
{
    cm_filling_t filling;

    CM_TRY(fill(&filling, capture, table, pool));
    set(&filling, "mark", mark_of(fill_sections(&filling), table->model, pool));
    *statements = fill_sections(&filling);
    return add_partitions(*statements, &filling);
}

int cm_capture_wanted(const cm_store_t *store, const cm_model_t *model)
{
    int i, wanted = 0;

    for (i = 0; i < EVENTS; i++)
        wanted += is_captured(cm_dialect_of_store(store), model, i);
    return wanted;
}

int cm_capture_owns(const cm_store_t *store, const cm_table_t *table,
                    const char *trigger, apr_pool_t *scratch_pool)
{
    const cm_dialect_t *dialect = cm_dialect_of_store(store);
    int i;

    for (i = 0; i < EVENTS; i++)
        if (is_captured(dialect, table->model, i) &&
            !strcmp(trigger, trigger_name(table, events[i], scratch_pool)))
            return 1;
    return 0;
}

/* Return whether a partition in ROWS lacks triggers. */
static int lacks_some(const cm_rows_t *rows, int wanted)
{
    int i, partitions = 0, triggers = 0;

    for (i = 0; i < rows->count; i++)
        if (cm_cell_number(rows, i, 2)) {
            partitions += cm_cell_number(rows, i, 3) == 1;
            triggers += cm_cell_text(rows, i, 0) != NULL;
        }
    return triggers != partitions * wanted;
}

cm_error_t *cm_capture_state(cm_capture_e *state, const cm_capture_t *capture,
                             const cm_table_t *table, apr_pool_t *scratch_pool)
{
    cm_store_t *store = capture->store;
    int wanted = cm_capture_wanted(store, table->model), found = 0, current = 0,
        i;
    cm_filling_t filling;
    cm_rows_t *rows;
    const char *mark;

    CM_TRY(fill(&filling, capture, table, scratch_pool));
    mark = mark_of(fill_sections(&filling), table->model, scratch_pool);
    CM_TRY(cm_table_ask(&rows, store, "capture.sql", "state", table->model,
                        scratch_pool));
    for (i = 0; i < rows->count; i++) {
        if (cm_cell_number(rows, i, 2))
            continue;
        found++;
        current += strstr(cm_cell_text(rows, i, 1), mark) != NULL;
    }
    *state = !found                                 ? CM_CAPTURE_MISSING
             : current != wanted || found != wanted ? CM_CAPTURE_STALE
             : lacks_some(rows, wanted)             ? CM_CAPTURE_PARTIAL
                                                    : CM_CAPTURE_CURRENT;
    return NULL;
}
