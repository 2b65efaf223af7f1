/* check: what the application's triggers do when messages are applied. They
 * fire here as they did at the peer: what they write into other models is
 * written twice, and what they change in the row itself is not what was
 * received. */
#include "check_catalog.h"

#include <ctype.h>
#include <string.h>

#include <apr_strings.h>

/* Where the words of a trigger's text are looked at. */
typedef struct reading_t {
    sync_check_catalog_t *on;
    const cm_catalog_hazard_t *trigger;
    apr_hash_t *told;         /* what has been said of it */
    const char *before, *one; /* the last two words */
    int own;                  /* an update of its own table has begun */
} reading_t;

static int is_of_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '$' ||
           (c & 0x80);
}

static int is(const char *word, const char *other)
{
    return !strcasecmp(word, other);
}

/* Return whether a table stands behind the last two words. */
static int is_write(const reading_t *reading)
{
    return is(reading->one, "into") || is(reading->one, "update") ||
           (is(reading->one, "only") && is(reading->before, "update")) ||
           (is(reading->one, "from") && is(reading->before, "delete"));
}

static void warn(reading_t *reading, const char *what, const char *except)
{
    sync_check_catalog_t *on = reading->on;
    apr_pool_t *pool = on->check->client->pool;

    if (apr_hash_get(reading->told, what, APR_HASH_KEY_STRING))
        return;
    apr_hash_set(reading->told, what, APR_HASH_KEY_STRING, "");
    sync_check_catalog_warn(
        on,
        apr_psprintf(
            pool,
            "let it ask whether communicator_applying() first (SQLite: "
            "whether that table has a row)%s",
            except ? apr_psprintf(pool, ", or except=%s", except) : ""),
        apr_psprintf(pool, "the trigger '%s' %s", reading->trigger->name,
                     what));
}

/* The trigger writes into the table that WORD names. */
static void check_table(reading_t *reading, const char *word)
{
    const sync_check_catalog_t *on = reading->on;
    const char *dot = strrchr(word, '.');
    const cm_catalog_table_t *table =
        cm_catalog_table(on->catalog, dot ? dot + 1 : word);
    const cm_model_t *model =
        table ? sync_check_catalog_model(on, table->name) : NULL;

    reading->own = model == on->model;
    if (!model || reading->own)
        return;
    warn(reading,
         apr_psprintf(on->check->client->pool,
                      "writes into '%s', as the peer's may do: what comes from "
                      "the peer makes it write once more",
                      model->table),
         NULL);
}

/* The trigger assigns a value to the column NAME of the row itself, or (SQLite)
 * of a row of its table. */
static void check_assignment(reading_t *reading, const char *name)
{
    const sync_check_catalog_t *on = reading->on;
    const cm_catalog_column_t *column = cm_catalog_column(on->table, name);

    if (!column || !cm_settings_model_carries(on->model, column->name))
        return;
    warn(reading,
         apr_psprintf(on->check->client->pool,
                      "changes '%s': it differs from what is received",
                      column->name),
         column->name);
}

/* Judge WORD; REST: the text behind it. */
static void check_word(reading_t *reading, const char *word, const char *rest)
{
    if (is_write(reading))
        check_table(reading, word);
    if (reading->own && is(reading->one, "set"))
        check_assignment(reading, word);
    if (strncasecmp(word, "new.", 4))
        return;
    rest += strspn(rest, " \t\r\n`\"");
    if (!strncmp(rest, ":=", 2) || (*rest == '=' && is(reading->one, "set")))
        check_assignment(reading, word + 4);
}

static void read_trigger(sync_check_catalog_t *on,
                         const cm_catalog_hazard_t *trigger)
{
    apr_pool_t *pool = on->check->client->pool;
    reading_t reading = {.on = on,
                         .trigger = trigger,
                         .told = apr_hash_make(pool),
                         .before = "",
                         .one = ""};
    const char *at = trigger->body;

    if (!at || strstr(at, "communicator_applying"))
        return;
    while (*at) {
        const char *end = at;
        const char *word;

        while (is_of_word(*end))
            end++;
        if (end == at) {
            at++;
            continue;
        }
        word = apr_pstrmemdup(pool, at, end - at);
        check_word(&reading, word, end);
        reading.before = reading.one;
        reading.one = word;
        at = end;
    }
}

void sync_check_triggers(sync_check_catalog_t *on)
{
    int i;

    for (i = 0; on->model->receives && i < on->table->hazards->nelts; i++) {
        const cm_catalog_hazard_t *hazard =
            &APR_ARRAY_IDX(on->table->hazards, i, cm_catalog_hazard_t);

        if (hazard->kind == CM_HAZARD_TRIGGER)
            read_trigger(on, hazard);
    }
}
