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
    apr_hash_t *told;                 /* what has been said of it */
    const char *before, *one;         /* the last two words */
    const cm_catalog_table_t *target; /* of an UPDATE that has begun, or NULL */
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

/* Return whether a table stands behind the last two words, whose rows are
 * updated. SQLite: UPDATE OR IGNORE posts. */
static int is_update(const reading_t *reading)
{
    return is(reading->one, "update") || is(reading->before, "or") ||
           (is(reading->one, "only") && is(reading->before, "update"));
}

/* The same, but rows are inserted or deleted. */
static int is_write(const reading_t *reading)
{
    return is(reading->one, "into") ||
           (is(reading->one, "from") && is(reading->before, "delete"));
}

/* Warn of WHAT the trigger does. ALSO: what else helps, or NULL. */
static void warn(reading_t *reading, const char *what, const char *also)
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
            "whether that table has a row)%s%s",
            also ? ", or " : "", also ? also : ""),
        apr_psprintf(pool, "the trigger '%s' %s", reading->trigger->name,
                     what));
}

static const cm_catalog_table_t *table_of(const reading_t *reading,
                                          const char *word)
{
    const char *dot = strrchr(word, '.');

    return cm_catalog_table(reading->on->catalog, dot ? dot + 1 : word);
}

/* The trigger writes into TABLE. ALSO: as for warn(). */
static void check_write(reading_t *reading, const cm_catalog_table_t *table,
                        const char *also)
{
    const sync_check_catalog_t *on = reading->on;
    const cm_model_t *model =
        table ? sync_check_catalog_model(on, table->name) : NULL;

    if (model && model != on->model)
        warn(reading,
             apr_psprintf(on->check->client->pool,
                          "writes into '%s', as the peer's may do: what comes "
                          "from the peer makes it write once more",
                          model->table),
             also);
}

/* The trigger assigns a value to the column NAME of the row itself, or (SQLite)
 * of a row of its table. */
static void check_own(reading_t *reading, const char *name)
{
    const sync_check_catalog_t *on = reading->on;
    apr_pool_t *pool = on->check->client->pool;
    const cm_catalog_column_t *column = cm_catalog_column(on->table, name);

    if (!column || !cm_settings_model_carries(on->model, column->name))
        return;
    warn(reading,
         apr_psprintf(pool, "changes '%s': it differs from what is received",
                      column->name),
         apr_psprintf(pool, "except=%s", column->name));
}

/* The trigger assigns a value to the column NAME of the rows that it updates.
 * One that is not carried is each side's own: there it is right to write. */
static void check_update(reading_t *reading, const char *name)
{
    const sync_check_catalog_t *on = reading->on;
    const cm_catalog_table_t *target = reading->target;
    const cm_catalog_column_t *column = cm_catalog_column(target, name);
    const cm_model_t *model = sync_check_catalog_model(on, target->name);

    if (target == on->table)
        check_own(reading, name);
    else if (!column)
        check_write(reading, target, NULL);
    else if (model && cm_settings_model_carries(model, column->name))
        check_write(reading, target,
                    apr_psprintf(on->check->client->pool,
                                 "if it computes '%s', let each side do so: "
                                 "except=%s of the model %s",
                                 column->name, column->name, model->name));
}

/* Return the word that begins at TEXT, or NULL; *END: what is behind it. */
static const char *word_at(const char **end, const char *text, apr_pool_t *pool)
{
    const char *to;

    text += strspn(text, " \t\r\n`\"");
    for (to = text; is_of_word(*to); to++)
        ;
    *end = to + strspn(to, " \t\r\n`\"");
    return to > text ? apr_pstrmemdup(pool, text, to - text) : NULL;
}

/* Return the comma before the next assignment, or NULL: TEXT holds the last
 * one. */
static const char *next_comma(const char *text, apr_pool_t *pool)
{
    int depth = 0;

    while (*text && *text != ';' && depth >= 0) {
        const char *end;
        const char *word = is_of_word(*text) ? word_at(&end, text, pool) : NULL;

        if (!depth && word && (is(word, "where") || is(word, "from")))
            return NULL;
        if (!depth && *text == ',')
            return text;
        depth += (*text == '(') - (*text == ')');
        text += word ? strlen(word) : 1;
    }
    return NULL;
}

/* Judge what an UPDATE assigns; TEXT: behind its SET. */
static void check_assignments(reading_t *reading, const char *text)
{
    apr_pool_t *pool = reading->on->check->client->pool;
    const char *comma = text;

    while (comma) {
        const char *end;
        const char *name = word_at(&end, text, pool);
        const char *dot = name ? strrchr(name, '.') : NULL;

        if (name && *end == '=')
            check_update(reading, dot ? dot + 1 : name);
        else
            check_write(reading, reading->target, NULL);
        comma = next_comma(text, pool);
        text = comma ? comma + 1 : text;
    }
    reading->target = NULL;
}

/* Judge WORD; REST: the text behind it. */
static void check_word(reading_t *reading, const char *word, const char *rest)
{
    if (is_write(reading))
        check_write(reading, table_of(reading, word), NULL);
    else if (is_update(reading) && table_of(reading, word))
        reading->target = table_of(reading, word);
    else if (reading->target && is(word, "set"))
        check_assignments(reading, rest);
    if (strncasecmp(word, "new.", 4))
        return;
    rest += strspn(rest, " \t\r\n`\"");
    if (!strncmp(rest, ":=", 2) || (*rest == '=' && is(reading->one, "set")))
        check_own(reading, word + 4);
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
