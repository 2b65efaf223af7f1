/* Keys that are the identity of a record, one after the other, where a row
 * filter applies: no row has those between. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "config/key.h"
#include "node/node.h"
#include "outbox/stamp.h"

/* Return all that leaves since message AFTER: "create b of a, delete a to b".
 */
static const char *outgoing(cm_node_t *node, int after, apr_pool_t *pool)
{
    const apr_array_header_t *messages =
        inbox_outgoing(node, "there", pool)->messages;
    const char *text = "";
    int i;

    for (i = after; i < messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, const cm_message_t *);
        const char *other = message->counterpart.original_id;
        const int ends = message->action == CM_DELETE;

        text = apr_pstrcat(pool, text, i > after ? ", " : "",
                           ends ? "delete " : "create ",
                           message->identity.original_id,
                           !other ? ""
                           : ends ? " to "
                                  : " of ",
                           other, NULL);
    }
    return text;
}

/* Labels of which only open ones leave; peers know a. */
static cm_node_t *make_node(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;
    cm_node_t *node;
    apr_int64_t stamped;

    database_run(store, "CREATE TABLE labels (id varchar(40) NOT NULL PRIMARY"
                        " KEY, title varchar(40))");
    model = settings_add_model(settings, "label", "labels", "id", pool);
    model->shared_keys = 1;
    model->where = "title LIKE 'open%'";
    cm_key_complete(settings);
    node = inbox_node(store, settings, pool);
    database_run(store, "INSERT INTO labels VALUES ('a', 'open')");
    database_must(cm_stamp_all(&stamped, node, pool));
    return node;
}

/* Give the label FORMER the key NEXT. */
static void rename_label(cm_node_t *node, const char *former, const char *next,
                         apr_pool_t *pool)
{
    database_run(node->store,
                 apr_psprintf(pool,
                              "UPDATE labels SET id = '%s' WHERE id ="
                              " '%s'",
                              next, former));
}

/* Expect that TEXT leaves when all has a number. */
static void leaves(cm_node_t *node, const char *text, const char *what,
                   apr_pool_t *pool)
{
    apr_int64_t stamped;

    database_must(cm_stamp_all(&stamped, node, pool));
    is_str(outgoing(node, 1, pool), text, "%s: %s", database_of(node->store),
           what);
}

static void test_again(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    rename_label(node, "a", "b", pool);
    rename_label(node, "b", "c", pool);
    leaves(node, "create c of a, delete a to c",
           "the record with the last key continues the first one", pool);
    rename_label(node, "c", "d", pool);
    rename_label(node, "d", "e", pool);
    database_run(store, "UPDATE labels SET title = 'open, too'");
    rename_label(node, "e", "f", pool);
    database_run(store, "INSERT INTO labels VALUES ('e', 'open')");
    leaves(node,
           "create c of a, delete a to c, create f of c, delete c to f,"
           " create e",
           "also where another one has a key between", pool);
}

/* Peers do not hear of a record that stays here, or is gone. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    database_run(store, "INSERT INTO labels VALUES ('p', 'open')");
    leaves(node, "create p", "another record", pool);
    rename_label(node, "a", "b", pool);
    rename_label(node, "b", "c", pool);
    database_run(store, "DELETE FROM labels WHERE id = 'c'");
    rename_label(node, "p", "q", pool);
    rename_label(node, "q", "r", pool);
    database_run(store, "UPDATE labels SET title = 'draft'");
    leaves(node, "create p, delete a, delete p",
           "a record with another key that is gone, or stays", pool);
}

/* The record that has the first key now is not the one that had it. */
static void test_taken(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);

    rename_label(node, "a", "b", pool);
    database_run(store, "INSERT INTO labels VALUES ('a', 'open')");
    rename_label(node, "b", "c", pool);
    leaves(node, "delete a, create a\0372, create c",
           "another record has the first key", pool);
    rename_label(node, "c", "d", pool);
    rename_label(node, "d", "c", pool);
    leaves(node, "delete a, create a\0372, create c, delete c, create c\0372",
           "the record has it again", pool);
}

/* A known limit. */
static void test_chunks(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, pool);
    cm_stamping_t stamping = {.limit = 1};
    int stamped;

    rename_label(node, "a", "b", pool);
    rename_label(node, "b", "c", pool);
    do
        database_must(cm_stamp_chunk(&stamped, node, &stamping, pool));
    while (stamped);
    leaves(node, "delete a, create c", "nothing is lost in chunks of one",
           pool);
}

int main(void)
{
    apr_initialize();
    database_each("again", test_again);
    database_each("gone", test_gone);
    database_each("taken", test_taken);
    database_each("chunks", test_chunks);
    apr_terminate();
    return done_testing();
}
