/* Triggers made from the templates in sql/DRIVER/capture.sql: see
 * capture.h. */
#include "schema/capture.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"
#include "schema/catalog.h"
#include "schema/expression.h"

/* PostgreSQL has the shortest names. */
#define NAME_MAX_BYTES 63

/* The last one only PostgreSQL has a trigger for. */
#define EVENTS 4
static const char *const events[EVENTS] = {"insert", "update", "delete",
                                           "truncate"};

/* What the templates are filled with. */
typedef struct filling_t {
    cm_store_t *store;
    const cm_table_t *table;
    cm_database_e database;
    const char *before, *after; /* what an update calls its two rows */
    apr_hash_t *values;
    apr_pool_t *pool;
} filling_t;

/* FNV-1a: names and templates are no one's secrets. */
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

static void set(filling_t *filling, const char *name, const char *value)
{
    apr_hash_set(filling->values, name, APR_HASH_KEY_STRING,
                 cm_expression_without_doubling(value, filling->pool));
}

/* Return the name of the trigger for EVENT. Long names, and those with a
 * schema, which could be another table's, end with a hash. */
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

static const char *literal(const filling_t *filling, const char *text)
{
    return cm_store_literal(filling->store, text, filling->pool);
}

static void set_names(filling_t *filling, const char *place)
{
    const cm_model_t *model = filling->table->model;
    const char *dot = strchr(model->table, '.'), *schema = "";
    apr_pool_t *pool = filling->pool;
    int i;

    for (i = 0; i < EVENTS; i++)
        set(filling, events[i],
            cm_store_quote(filling->store,
                           trigger_name(filling->table, events[i], pool),
                           pool));
    if (dot)
        schema = apr_pstrcat(pool,
                             cm_store_quote(filling->store,
                                            apr_pstrmemdup(pool, model->table,
                                                           dot - model->table),
                                            pool),
                             ".", NULL);
    set(filling, "schema", schema);
    set(filling, "place", cm_store_quote(filling->store, place, pool));
    set(filling, "table", filling->table->quoted);
    apr_hash_set(filling->values, "applying", APR_HASH_KEY_STRING,
                 literal(filling, model->table));
    apr_hash_set(filling->values, "model", APR_HASH_KEY_STRING,
                 literal(filling, model->name));
    set(filling, "open",
        cm_expression_name(filling->store, "{", model->name, ":", pool));
    set(filling, "unread",
        cm_expression_name(filling->store, "{", model->name, ":true}", pool));
}

/* The key as text, and whether it changed. */
static void set_key(filling_t *filling)
{
    const char *key = filling->table->key_text;
    apr_pool_t *pool = filling->pool;

    set(filling, "key", key);
    apr_hash_set(filling->values, "key_name", APR_HASH_KEY_STRING,
                 literal(filling, filling->table->key->name));
    set(filling, "old_key",
        cm_expression_with_alias(key, filling->before, pool));
    set(filling, "new_key",
        cm_expression_with_alias(key, filling->after, pool));
    set(filling, "key_differs",
        cm_expression_differs(filling->table->key, filling->before,
                              filling->after, filling->database, pool));
}

/* Return SQL of the names of the columns that changed, each behind a comma,
 * and of whether any did. */
static void set_changed(filling_t *filling)
{
    apr_array_header_t *names, *conditions;
    int is_mysql = filling->database == CM_MYSQL, i;
    apr_pool_t *pool = filling->pool;

    names = apr_array_make(pool, 32, sizeof(const char *));
    conditions = apr_array_make(pool, 32, sizeof(const char *));
    APR_ARRAY_PUSH(names, const char *) = is_mysql ? "CONCAT(''" : "(''";
    APR_ARRAY_PUSH(conditions, const char *) = "(1 = 0";
    for (i = 0; i < filling->table->column_count; i++) {
        const cm_column_t *column = &filling->table->columns[i];
        const char *differs = cm_expression_differs(
            column, filling->before, filling->after, filling->database, pool);

        if (!column->carried)
            continue;
        APR_ARRAY_PUSH(conditions, const char *) =
            apr_pstrcat(pool, " OR ", differs, NULL);
        APR_ARRAY_PUSH(names, const char *) = apr_pstrcat(
            pool, is_mysql ? ", " : " || ", "CASE WHEN ", differs, " THEN ",
            cm_expression_name(filling->store, ",", column->name, "", pool),
            " ELSE '' END", NULL);
    }
    APR_ARRAY_PUSH(names, const char *) = ")";
    APR_ARRAY_PUSH(conditions, const char *) = ")";
    set(filling, "changed", apr_array_pstrcat(pool, names, 0));
    set(filling, "any_differs", apr_array_pstrcat(pool, conditions, 0));
}

/* PostgreSQL: what an amount of money is depends on a setting: in triggers it
 * is that of our own sessions, whatever the application has set. */
static int has_money(const cm_table_t *table)
{
    int i;

    for (i = 0; i < table->column_count; i++)
        if (!strncmp(table->columns[i].type, "money", 5))
            return 1;
    return 0;
}

/* PostgreSQL: whether the text of a value depends on settings that the
 * application's session may have changed (arrays, intervals, ranges ..., and
 * dates as keys). */
static int needs_settings(const cm_table_t *table)
{
    static const char *const plain[] = {"text", "character varying", "bpchar",
                                        "uuid", NULL};
    int i, type;

    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];

        if (column->value_class == CM_CLASS_FLOAT ||
            (column == table->key && column->value_class != CM_CLASS_INTEGER &&
             column->value_class != CM_CLASS_TEXT))
            return 1;
        if (column->value_class != CM_CLASS_TEXT)
            continue;
        for (type = 0; plain[type]; type++)
            if (!strcmp(column->type, plain[type]))
                break;
        if (!plain[type])
            return 1;
    }
    return 0;
}

static int refers_to_itself(const cm_table_t *table)
{
    const apr_array_header_t *references = table->model->references;
    int i;

    for (i = 0; i < references->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(references, i, cm_reference_t).model,
                    table->model->name))
            return 1;
    return 0;
}

/* A statement's cascades into its own table stand in one transition table
 * with its own rows. Where messages are applied only the cascades are news:
 * row by row they can be told apart. Not of a partitioned table: a row that
 * moves to another partition is deleted to its row triggers. */
static int deletes_by_row(const cm_table_t *table)
{
    return refers_to_itself(table) && !table->partitioned;
}

/* Return SQL that is true when the columns of the row "t" have the types that
 * they had when the triggers were made; an error when one is gone. ALL: not
 * the key alone. */
static const char *same_types(const filling_t *filling, int all)
{
    const cm_table_t *table = filling->table;
    apr_array_header_t *types, *numbers, *named;
    apr_pool_t *pool = filling->pool;
    int i;

    types = apr_array_make(pool, 32, sizeof(const char *));
    numbers = apr_array_make(pool, 32, sizeof(const char *));
    named = apr_array_make(pool, 4, sizeof(const char *));
    APR_ARRAY_PUSH(named, const char *) = "";
    for (i = 0; i < table->column_count; i++) {
        const cm_column_t *column = &table->columns[i];
        const char *type =
            apr_pstrcat(pool, "pg_typeof(t.", column->quoted, ")", NULL);

        if (column != table->key && (!all || !column->carried))
            continue;
        if (strspn(column->declared, "0123456789") ==
            strlen(column->declared)) {
            APR_ARRAY_PUSH(types, const char *) = type;
            APR_ARRAY_PUSH(numbers, const char *) = column->declared;
            continue;
        }
        APR_ARRAY_PUSH(named, const char *) =
            apr_pstrcat(pool, " AND ", type, " = to_regtype(",
                        literal(filling, column->declared), ")", NULL);
    }
    return apr_pstrcat(pool, "ARRAY[", apr_array_pstrcat(pool, types, ','),
                       "]::oid[] = '{", apr_array_pstrcat(pool, numbers, ','),
                       "}'::oid[]", apr_array_pstrcat(pool, named, 0), NULL);
}

static const char *section(const filling_t *filling, const char *name)
{
    return cm_sql_section(cm_dialect_of_store(filling->store)->driver,
                          "capture.sql", name, filling->pool);
}

/* Whether a nested statement has changed rows of the model in this
 * transaction, seen from this depth: communicator_nested() has noted it. */
#define NESTED                                                                 \
    "strpos(concat(current_setting('communicator.nested', true)),"             \
    " concat(' ', %s, '/', pg_trigger_depth(), ';')) > 0"

/* Whether an update's cascades into its own table stand in one transition
 * table with its own rows. */
#define SELF_CASCADE                                                           \
    "EXISTS (SELECT FROM pg_trigger AS a WHERE a.tgrelid = TG_RELID"           \
    " AND a.tgconstrrelid = TG_RELID AND a.tgfoid IN"                          \
    " ('\"RI_FKey_cascade_upd\"'::regproc,"                                    \
    " '\"RI_FKey_setnull_upd\"'::regproc,"                                     \
    " '\"RI_FKey_setdefault_upd\"'::regproc))"

/* PostgreSQL: the statements that capture the rows written as they stand in
 * the table now, after nested statements. They are made when they run, as the
 * table may have another name then. */
static void set_present(filling_t *filling)
{
    const char *const names[] = {"insert", "update", "delete"};
    apr_pool_t *pool = filling->pool;
    apr_size_t i;

    apr_hash_set(filling->values, "nested", APR_HASH_KEY_STRING,
                 apr_psprintf(pool, NESTED,
                              literal(filling, filling->table->model->name)));
    set(filling, "self_cascade",
        refers_to_itself(filling->table) ? SELF_CASCADE : "false");
    set(filling, "key_column", filling->table->key->quoted);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        apr_hash_set(
            filling->values, apr_pstrcat(pool, "present_", names[i], NULL),
            APR_HASH_KEY_STRING,
            literal(filling,
                    cm_sql_fill(section(filling, apr_pstrcat(pool, names[i],
                                                             ".present", NULL)),
                                filling->values, pool)));
}

/* MONETARY is the session's lc_monetary. */
static void set_pgsql(filling_t *filling, const char *monetary)
{
    const char *settings = "SET search_path = pg_catalog, pg_temp";
    int by_old_row = deletes_by_row(filling->table);
    const char *place =
        apr_hash_get(filling->values, "place", APR_HASH_KEY_STRING);
    apr_pool_t *pool = filling->pool;

    if (needs_settings(filling->table))
        settings = "SET search_path = pg_catalog, pg_temp"
                   " SET timezone = 'UTC' SET datestyle = 'ISO, YMD'"
                   " SET intervalstyle = 'iso_8601' SET extra_float_digits = 3"
                   " SET bytea_output = 'hex'";
    if (has_money(filling->table))
        settings = apr_pstrcat(filling->pool, settings, " SET lc_monetary = ",
                               literal(filling, monetary), NULL);
    set(filling, "settings", settings);
    apr_hash_set(filling->values, "lastval", APR_HASH_KEY_STRING,
                 literal(filling, apr_pstrcat(pool, place,
                                              ".communicator_lastval", NULL)));
    apr_hash_set(
        filling->values, "outbox", APR_HASH_KEY_STRING,
        literal(filling, apr_pstrcat(pool, place, ".outbound_messages", NULL)));
    set(filling, "same", same_types(filling, 1));
    set(filling, "same_key", same_types(filling, 0));
    set(filling, "rows", "communicator_rows");
    set(filling, "old_rows",
        by_old_row ? "(SELECT OLD.*)" : "communicator_rows");
    set(filling, "old_rows_given",
        by_old_row ? "(SELECT ($4).*)" : "communicator_rows");
    set(filling, "old_given", by_old_row ? ", OLD" : "");
    set(filling, "pair",
        "communicator_old AS o CROSS JOIN communicator_rows AS n");
    /* a full join, so that no plan made for one row is a nested loop when
     * there are a million */
    set(filling, "pairs",
        "(SELECT row_number() OVER () AS communicator_row, *"
        " FROM communicator_old) AS o FULL JOIN"
        " (SELECT row_number() OVER () AS communicator_row, *"
        " FROM communicator_rows) AS n USING (communicator_row)");
    set(filling, "each_new",
        "REFERENCING NEW TABLE AS communicator_rows FOR EACH STATEMENT");
    set(filling, "each_old",
        by_old_row ? "FOR EACH ROW"
                   : "REFERENCING OLD TABLE AS communicator_rows"
                     " FOR EACH STATEMENT");
    set(filling, "each_pair",
        "REFERENCING OLD TABLE AS communicator_old"
        " NEW TABLE AS communicator_rows FOR EACH STATEMENT");
    set_present(filling);
}

/* SQLite: the row as it stands in the table; NEW, where it is gone. */
static const char *row_capture(const cm_table_t *table, apr_pool_t *pool)
{
    return apr_pstrcat(pool, "coalesce((SELECT ", table->capture, " FROM ",
                       table->quoted, " AS t WHERE t.", table->key->quoted,
                       " = NEW.", table->key->quoted, "), ",
                       cm_expression_with_alias(table->capture, "NEW", pool),
                       ")", NULL);
}

static cm_error_t *fill(filling_t *filling, cm_store_t *store,
                        const cm_table_t *table, apr_pool_t *pool)
{
    cm_rows_t *rows;

    filling->store = store;
    filling->table = table;
    filling->database = cm_dialect_of_store(store)->database;
    filling->before = filling->database == CM_PGSQL ? "o" : "OLD";
    filling->after = filling->database == CM_PGSQL ? "n" : "NEW";
    filling->values = apr_hash_make(pool);
    filling->pool = pool;
    CM_TRY(cm_statement_select(&rows, store, section(filling, "place"), NULL, 0,
                               pool));
    set_names(filling, cm_cell_text(rows, 0, 0));
    set_key(filling);
    set_changed(filling);
    set(filling, "capture", table->capture);
    set(filling, "new_capture",
        cm_expression_with_alias(table->capture, filling->after, pool));
    if (filling->database == CM_SQLITE3)
        set(filling, "row_capture", row_capture(table, pool));
    set(filling, "deletes", table->model->deletes ? "1 = 1" : "1 = 0");
    if (filling->database == CM_PGSQL)
        set_pgsql(filling, cm_cell_text(rows, 0, 1));
    return NULL;
}

/* Append the statements of section NAME, filled in, to ALL; where there is
 * none, nothing. */
static void add_section(apr_array_header_t *all, const filling_t *filling,
                        const char *name)
{
    const char *text = section(filling, name);
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

/* Append the triggers on the table that is filled in, where functions stand
 * apart from them (PostgreSQL). */
static void add_triggers(apr_array_header_t *all, const filling_t *filling)
{
    const int deletes = filling->table->model->deletes;
    int i;

    for (i = 0; i < EVENTS; i++)
        if (deletes || i < 2)
            add_section(
                all, filling,
                apr_pstrcat(filling->pool, events[i], ".trigger", NULL));
    if (!deletes)
        add_section(all, filling, "no-delete.trigger");
}

static apr_array_header_t *fill_sections(const filling_t *filling)
{
    const int deletes = filling->table->model->deletes;
    apr_array_header_t *all =
        apr_array_make(filling->pool, 8, sizeof(const char *));
    int i;

    add_section(all, filling, "prepare");
    for (i = 0; i < EVENTS; i++)
        if (deletes || i < 2)
            add_section(all, filling, events[i]);
    if (!deletes)
        add_section(all, filling, "no-delete");
    add_triggers(all, filling);
    return all;
}

/* Add to ARGUMENTS what names the table of MODEL in the sections of
 * capture.sql. */
static void add_place(apr_array_header_t *arguments, cm_store_t *store,
                      const cm_model_t *model, apr_pool_t *pool)
{
    const char *name = model->table, *dot = strchr(name, '.');

    if (cm_dialect_of_store(store)->database == CM_PGSQL) {
        APR_ARRAY_PUSH(arguments, cm_datum_t) =
            cm_datum_text(cm_expression_without_doubling(
                cm_store_quote_table(store, name, pool), pool));
        return;
    }
    APR_ARRAY_PUSH(arguments, cm_datum_t) =
        cm_datum_text(dot ? apr_pstrmemdup(pool, name, dot - name) : NULL);
    APR_ARRAY_PUSH(arguments, cm_datum_t) = cm_datum_text(dot ? dot + 1 : name);
}

const char *cm_capture_count(apr_array_header_t *arguments, cm_store_t *store,
                             const cm_model_t *model, apr_pool_t *pool)
{
    const char *sql = cm_sql_section(cm_dialect_of_store(store)->driver,
                                     "capture.sql", "count", pool);

    add_place(arguments, store, model, pool);
    return apr_pstrcat(pool, "(", sql, ")", NULL);
}

/* Ask the section NAME of capture.sql about TABLE. */
static cm_error_t *ask(cm_rows_t **rows, cm_store_t *store, const char *name,
                       const cm_table_t *table, apr_pool_t *pool)
{
    apr_array_header_t *arguments = apr_array_make(pool, 2, sizeof(cm_datum_t));

    add_place(arguments, store, table->model, pool);
    return cm_statement_select(
        rows, store,
        cm_sql_section(cm_dialect_of_store(store)->driver, "capture.sql", name,
                       pool),
        (const cm_datum_t *)arguments->elts, arguments->nelts, pool);
}

/* Return the mark that tells the triggers of these STATEMENTS from those of
 * other columns or another version; it stands in each of them. */
static const char *mark_of(const apr_array_header_t *statements,
                           apr_pool_t *pool)
{
    apr_uint64_t hash = APR_UINT64_C(14695981039346656037);
    int i;

    for (i = 0; i < statements->nelts; i++)
        hash = hash_of(APR_ARRAY_IDX(statements, i, const char *), hash);
    return apr_pstrcat(pool, "communicator ", hash_text(hash, pool), NULL);
}

/* What is written to a partition itself fires no trigger of the table. */
static cm_error_t *add_partitions(apr_array_header_t *all, filling_t *filling)
{
    cm_rows_t *rows;
    int i;

    if (!filling->table->partitioned)
        return NULL;
    CM_TRY(ask(&rows, filling->store, "partitions", filling->table,
               filling->pool));
    for (i = 0; i < rows->count; i++) {
        apr_hash_set(filling->values, "table", APR_HASH_KEY_STRING,
                     cm_cell_text(rows, i, 0));
        add_triggers(all, filling);
    }
    return NULL;
}

cm_error_t *cm_capture_statements(apr_array_header_t **statements,
                                  cm_store_t *store, const cm_table_t *table,
                                  apr_pool_t *pool)
{
    filling_t filling;

    CM_TRY(fill(&filling, store, table, pool));
    set(&filling, "mark", mark_of(fill_sections(&filling), pool));
    *statements = fill_sections(&filling);
    return add_partitions(*statements, &filling);
}

int cm_capture_wanted(const cm_store_t *store, const cm_model_t *model)
{
    if (!model->deletes)
        return 2;
    return cm_dialect_of_store(store)->database == CM_PGSQL ? EVENTS
                                                            : EVENTS - 1;
}

int cm_capture_owns(const cm_store_t *store, const cm_table_t *table,
                    const char *trigger, apr_pool_t *scratch_pool)
{
    int wanted = cm_capture_wanted(store, table->model), i;

    for (i = 0; i < wanted; i++)
        if (!strcmp(trigger, trigger_name(table, events[i], scratch_pool)))
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

cm_error_t *cm_capture_state(cm_capture_e *state, cm_store_t *store,
                             const cm_table_t *table, apr_pool_t *scratch_pool)
{
    int wanted = cm_capture_wanted(store, table->model), found = 0, current = 0,
        i;
    filling_t filling;
    cm_rows_t *rows;
    const char *mark;

    CM_TRY(fill(&filling, store, table, scratch_pool));
    mark = mark_of(fill_sections(&filling), scratch_pool);
    CM_TRY(ask(&rows, store, "state", table, scratch_pool));
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
