/* What only the templates in sql/pgsql/capture.sql name: see
 * capture_internal.h. */
#include "schema/capture_internal.h"

#include <string.h>

#include <apr_strings.h>

#include "store/sql.h"
#include "schema/expression.h"

/* What an amount of money is depends on a setting. Triggers use that of our own
 * sessions, whatever the application has set. */
static int has_money(const cm_table_t *table)
{
    int i;

    for (i = 0; i < table->column_count; i++)
        if (!strncmp(table->columns[i].type, "money", 5))
            return 1;
    return 0;
}

/* Whether the text of a value depends on settings that the
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
            (column->is_key && column->value_class != CM_CLASS_INTEGER &&
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
    const apr_array_header_t *references = table->model->columns.references;
    int i;

    for (i = 0; i < references->nelts; i++)
        if (cm_settings_refers_to(&APR_ARRAY_IDX(references, i, cm_reference_t),
                                  table->model))
            return 1;
    return 0;
}

/* The transition table of a statement also has the rows of its own table that
 * it cascades to. While messages are applied, only the cascades must be
 * captured, and only a row trigger can distinguish them. Not in a partitioned
 * table: to its row triggers, a row that moves to another partition is deleted.
 */
static int deletes_by_row(const cm_table_t *table)
{
    return refers_to_itself(table) && !table->partitioned;
}

/* Return SQL that is true when the columns of the row "t" have the types that
 * they had when the triggers were made; an error when one is gone. ALL: not
 * the key alone. */
static const char *same_types(const cm_filling_t *filling, int all)
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

        if (!column->is_key &&
            (!all || !cm_capture_watches(table->model, column)))
            continue;
        if (strspn(column->declared, "0123456789") ==
            strlen(column->declared)) {
            APR_ARRAY_PUSH(types, const char *) = type;
            APR_ARRAY_PUSH(numbers, const char *) = column->declared;
            continue;
        }
        APR_ARRAY_PUSH(named, const char *) = apr_pstrcat(
            pool, " AND ", type, " = to_regtype(",
            cm_store_literal(filling->store, column->declared, pool), ")",
            NULL);
    }
    return apr_pstrcat(pool, "ARRAY[", apr_array_pstrcat(pool, types, ','),
                       "]::oid[] = '{", apr_array_pstrcat(pool, numbers, ','),
                       "}'::oid[]", apr_array_pstrcat(pool, named, 0), NULL);
}

/* Whether a nested statement has changed rows of the model in this
 * transaction, seen from this depth: communicator_nested() has noted it. */
#define NESTED                                                                 \
    "strpos(concat(current_setting('communicator.nested', true)),"             \
    " concat(' ', %s, '/', pg_trigger_depth(), ';')) > 0"

/* Whether an update may cascade into its own table: the transition table then
 * has these rows, too. */
#define SELF_CASCADE                                                           \
    "EXISTS (SELECT FROM pg_trigger AS a WHERE a.tgrelid = TG_RELID"           \
    " AND a.tgconstrrelid = TG_RELID AND a.tgfoid IN"                          \
    " ('\"RI_FKey_cascade_upd\"'::regproc,"                                    \
    " '\"RI_FKey_setnull_upd\"'::regproc,"                                     \
    " '\"RI_FKey_setdefault_upd\"'::regproc))"

/* Keys whose uniqueness is checked later may be those of two records for a
 * while. Then nobody knows which of them a change is about. (No foreign key can
 * refer to such a key.) */
#define DEFERRED                                                               \
    "EXISTS (SELECT FROM pg_constraint AS c WHERE c.conrelid = TG_RELID"       \
    " AND c.contype IN ('p', 'u') AND c.condeferrable)"

/* Set the columns of the key: a list of them, an array of their names, and for
 * each alias of a row that the templates compare a list in brackets. */
static void set_keys(cm_filling_t *filling)
{
    static const char *const aliases[] = {"n", "o", "p", "r", "t"};
    const cm_table_t *table = filling->table;
    apr_pool_t *pool = filling->pool;
    const char *names = "ARRAY[";
    int i;

    for (i = 0; i < table->key_count; i++)
        names = apr_pstrcat(
            pool, names, i ? ", " : "",
            cm_store_literal(filling->store, table->keys[i]->name, pool), NULL);
    cm_capture_set(filling, "key_names", apr_pstrcat(pool, names, "]", NULL));
    cm_capture_set(filling, "key_columns",
                   cm_expression_without_doubling(
                       cm_expression_keys(table, "", pool), pool));
    for (i = 0; i < 5; i++) {
        const char *list = cm_expression_keys(
            table, apr_pstrcat(pool, aliases[i], ".", NULL), pool);

        cm_capture_set(filling, apr_pstrcat(pool, aliases[i], "_keys", NULL),
                       apr_pstrcat(pool, "(",
                                   cm_expression_without_doubling(list, pool),
                                   ")", NULL));
    }
}

/* Set the statements that capture rows as the table has them after nested
 * statements. They are completed when they run, as the table may have another
 * name by then. */
static void set_present(cm_filling_t *filling)
{
    const char *const names[] = {"insert", "update", "delete"};
    apr_pool_t *pool = filling->pool;
    apr_size_t i;

    cm_capture_set(
        filling, "nested",
        apr_psprintf(pool, NESTED,
                     cm_store_literal(filling->store,
                                      filling->table->model->name, pool)));
    cm_capture_set(filling, "self_cascade",
                   refers_to_itself(filling->table) ? SELF_CASCADE : "false");
    set_keys(filling);
    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        cm_capture_set_literal(
            filling, apr_pstrcat(pool, "present_", names[i], NULL),
            cm_sql_fill(
                cm_capture_section(
                    filling, apr_pstrcat(pool, names[i], ".present", NULL)),
                filling->values, pool));
}

void cm_capture_pgsql_fill(cm_filling_t *filling, const char *monetary)
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
        settings =
            apr_pstrcat(pool, settings, " SET lc_monetary = ",
                        cm_store_literal(filling->store, monetary, pool), NULL);
    cm_capture_set(filling, "settings", settings);
    cm_capture_set_literal(
        filling, "lastval",
        apr_pstrcat(pool, place, ".communicator_lastval", NULL));
    cm_capture_set_literal(
        filling, "outbox",
        apr_pstrcat(pool, place, ".outbound_messages", NULL));
    cm_capture_set(
        filling, "same",
        cm_expression_without_doubling(same_types(filling, 1), pool));
    cm_capture_set(
        filling, "same_key",
        cm_expression_without_doubling(same_types(filling, 0), pool));
    cm_capture_set(filling, "old_rows",
                   by_old_row ? "(SELECT OLD.*)" : "communicator_rows");
    cm_capture_set(filling, "old_rows_given",
                   by_old_row ? "(SELECT ($4).*)" : "communicator_rows");
    cm_capture_set(filling, "old_given", by_old_row ? ", OLD" : "");
    /* A full join, so that no plan made for one row is a nested loop when
     * there are a million. */
    cm_capture_set(filling, "pairs",
                   "(SELECT row_number() OVER () AS communicator_row, *"
                   " FROM communicator_old) AS o FULL JOIN"
                   " (SELECT row_number() OVER () AS communicator_row, *"
                   " FROM communicator_rows) AS n USING (communicator_row)");
    cm_capture_set(
        filling, "keeps",
        apr_pstrcat(pool,
                    apr_hash_get(filling->values, "keeps", APR_HASH_KEY_STRING),
                    " AND NOT " DEFERRED, NULL));
    cm_capture_set(filling, "continues",
                   apr_pstrcat(pool,
                               apr_hash_get(filling->values, "continues",
                                            APR_HASH_KEY_STRING),
                               " AND NOT " DEFERRED, NULL));
    cm_capture_set(filling, "each_old",
                   by_old_row ? "FOR EACH ROW"
                              : "REFERENCING OLD TABLE AS communicator_rows"
                                " FOR EACH STATEMENT");
    set_present(filling);
}
