/* The short forms of clocks, refs and action mean the same as the long ones. */
#include "../tap.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "record/message.h"

/* Members behind a body with the columns a, bb, ccc (a number, a text and a
 * null), of a message of "central" with the clock 9: as everybody may write
 * them, as they are written here. */
static const struct {
    const char *name, *in, *out;
} cases[] = {
    {"nothing", "", ""},
    {"a create", ",\"action\":\"create\"", ""},
    {"an update", ",\"action\":\"update\",\"base\":3", ",\"base\":3"},
    {"an action that is null", ",\"action\":null", ""},
    {"the state again", ",\"action\":\"update\"", ",\"action\":\"update\""},
    {"a delete", ",\"action\":\"delete\",\"base\":3",
     ",\"action\":\"delete\",\"base\":3"},
    {"a create with a base", ",\"action\":\"create\",\"base\":3",
     ",\"action\":\"create\",\"base\":3"},
    {"an older column", ",\"clocks\":{\"a\":3}", ",\"clocks\":[3,\"a\"]"},
    {"all but one", ",\"clocks\":{\"bb\":3,\"ccc\":3}",
     ",\"clocks\":[\"a\",3]"},
    {"all", ",\"clocks\":{\"a\":3,\"bb\":3,\"ccc\":3}", ",\"clocks\":[3]"},
    {"three clocks", ",\"clocks\":{\"ccc\":3,\"bb\":0}",
     ",\"clocks\":[\"a\",0,\"bb\",3]"},
    {"two others", ",\"clocks\":{\"a\":3,\"bb\":4}",
     ",\"clocks\":[3,\"a\",4,\"bb\"]"},
    {"one of them has no clock yet", ",\"clocks\":{\"ccc\":0}",
     ",\"clocks\":[0,\"ccc\"]"},
    {"the message's own clock", ",\"clocks\":{\"ccc\":9}",
     ",\"clocks\":{\"ccc\":9}"},
    {"a list with the message's own clock", ",\"clocks\":[9,\"a\",3]",
     ",\"clocks\":[\"a\",3]"},
    {"a list of all of them", ",\"clocks\":[\"a\",\"bb\",\"ccc\"]", ""},
    {"an empty list", ",\"clocks\":[]", ""},
    {"a list with a column of nowhere", ",\"clocks\":[3,\"x\",\"a\"]",
     ",\"clocks\":[3,\"a\"]"},
    {"a column of nowhere", ",\"clocks\":{\"a\":3,\"x\":2}",
     ",\"clocks\":{\"a\":3,\"x\":2}"},
    {"a parent of the same origin",
     ",\"refs\":{\"a\":{\"model\":\"m\",\"origin\":\"central\","
     "\"original_id\":6}}",
     ",\"refs\":{\"a\":[\"m\",6]}"},
    {"with the id that the body has",
     ",\"refs\":{\"a\":{\"model\":\"m\",\"origin\":\"central\","
     "\"original_id\":\"5\"}}",
     ",\"refs\":{\"a\":\"m\"}"},
    {"with a text that the body has",
     ",\"refs\":{\"bb\":[\"m\",\"7\",\"central\"]}",
     ",\"refs\":{\"bb\":\"m\"}"},
    {"of another origin", ",\"refs\":{\"a\":[\"m\",5,\"facade\"]}",
     ",\"refs\":{\"a\":[\"m\",5,\"facade\"]}"},
    {"with an id that is no number", ",\"refs\":{\"a\":[\"m\",\"7\\u001f2\"]}",
     ",\"refs\":{\"a\":[\"m\",\"7\\u001f2\"]}"},
    {"two parents", ",\"refs\":{\"bb\":[\"n\",1],\"a\":\"m\"}",
     ",\"refs\":{\"a\":\"m\",\"bb\":[\"n\",1]}"},
    {"a parent where the body has none", ",\"refs\":{\"ccc\":[\"m\",5]}",
     ",\"refs\":{\"ccc\":[\"m\",5]}"},
    {"more than is known here",
     ",\"refs\":{\"a\":[\"m\",5,\"facade\",{\"x\":1}]}",
     ",\"refs\":{\"a\":[\"m\",5,\"facade\"]}"},
    {"a parent of a column of nowhere", ",\"refs\":{\"x\":[]}", ""},
};

static const struct {
    const char *name, *in, *error;
} refused[] = {
    {"a clock above the message's", ",\"clocks\":[10,\"a\"]", "newer"},
    {"a clock below none", ",\"clocks\":[-1]", "not a clock"},
    {"a fraction", ",\"clocks\":[1.5]", "not a clock"},
    {"two clocks of a column", ",\"clocks\":[3,\"a\",4,\"a\"]", "two clocks"},
    {"a list in a list", ",\"clocks\":[3,[\"a\"]]", "numbers and names"},
    {"null in a list", ",\"clocks\":[null]", "numbers and names"},
    {"a number for clocks", ",\"clocks\":3", "clocks"},
    {"a list for base", ",\"base\":[3,\"a\"]", "base"},
    {"a reference that is a number", ",\"refs\":{\"a\":3}", "no model"},
    {"a list without a model", ",\"refs\":{\"a\":[]}", "no model"},
    {"a list without an id", ",\"refs\":{\"a\":[\"m\"]}", "no identity"},
    {"a list with a wrong origin", ",\"refs\":{\"a\":[\"m\",5,7]}",
     "origin is not text"},
    {"a parent that the body does not name", ",\"refs\":{\"ccc\":\"m\"}",
     "no identity"},
    {"refs that are a list", ",\"refs\":[\"a\"]", "refs"},
};

/* Read the message with MEMBERS. */
static const cm_message_t *parse(const char *members, apr_pool_t *pool)
{
    const char *text = apr_pstrcat(
        pool,
        "[{\"id\":1,\"body\":\"{\\\"post\\\":{\\\"a\\\":5,\\\"bb\\\":\\\"7\\\","
        "\\\"ccc\\\":null}}\",\"origin\":\"central\",\"original_id\":1,"
        "\"clock\":9",
        members, "}]", NULL);
    apr_array_header_t *messages;
    cm_error_t *err =
        cm_message_read_batch(&messages, text, strlen(text), 0, pool);

    return err ? NULL : APR_ARRAY_IDX(messages, 0, const cm_message_t *);
}

/* Return what stands beside identity and clock when MESSAGE is written. */
static const char *written(const cm_message_t *message, apr_pool_t *pool)
{
    static const char clock[] = ",\"clock\":9";
    cm_buffer_t *buffer = cm_buffer_create(0, pool);
    const char *begin, *at;

    cm_message_write(buffer, message, 0);
    buffer->data[buffer->size - 1] = '\0';
    begin = strstr(buffer->data, "\"original_id\":1,") + 15;
    at = strstr(begin, clock);
    return apr_pstrcat(pool, apr_pstrmemdup(pool, begin, at - begin),
                       at + strlen(clock), NULL);
}

static const char *or_none(const char *text)
{
    return text ? text : "none";
}

/* What is kept in the tables of MESSAGE. */
static const char *kept(const cm_message_t *message, apr_pool_t *pool)
{
    return apr_psprintf(pool, "%s clocks %s base %s refs %s",
                        cm_message_action_name(message->action),
                        or_none(cm_clocks_list(&message->clocks, pool)),
                        or_none(cm_message_write_base(message, pool)),
                        or_none(cm_message_write_refs(message, pool)));
}

static void test_forms(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const cm_message_t *message = parse(cases[i].in, pool), *again;

        if (!ok(message && !message->error, "%s: it is read", cases[i].name))
            continue;
        is_str(written(message, pool), cases[i].out, "  it is written shortly");
        again = parse(cases[i].out, pool);
        is_str(kept(again, pool), kept(message, pool), "  which says the same");
    }
}

/* Write MESSAGE as it is after it was kept with CLOCKS. */
static const char *written_again(const cm_message_t *message,
                                 const char *clocks, apr_pool_t *pool)
{
    cm_message_t stored = {.id = message->id,
                           .identity = message->identity,
                           .action = message->action,
                           .clocks = {.clock = message->clocks.clock}};
    cm_error_t *err =
        cm_message_read_stored(&stored, message->body, message->body_size,
                               clocks, cm_message_write_base(message, pool),
                               cm_message_write_refs(message, pool), pool);

    return err ? cm_error_text(err, pool) : written(&stored, pool);
}

/* Rows keep clocks as a list, and some still as an object; also those of
 * columns that the body lacks. */
static void test_stored(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const cm_message_t *message = parse(cases[i].in, pool);

        is_str(written_again(message, cm_clocks_list(&message->clocks, pool),
                             pool),
               cases[i].out, "%s: from a row, it is written so", cases[i].name);
        is_str(written_again(message, cm_clocks_text(&message->clocks, pool),
                             pool),
               cases[i].out, "  and from one with an object");
    }
}

static void test_refused(apr_pool_t *pool)
{
    apr_size_t i;

    for (i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
        const cm_message_t *message = parse(refused[i].in, pool);
        const char *why = message && message->error
                              ? cm_error_text(message->error, pool)
                              : "";

        ok(strstr(why, refused[i].error) != NULL, "%s: %s", refused[i].name,
           why);
    }
}

int main(void)
{
    apr_pool_t *pool;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    test_forms(pool);
    test_stored(pool);
    test_refused(pool);
    apr_terminate();
    return done_testing();
}
