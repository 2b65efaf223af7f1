/* What a row filter keeps here: rows, and those that cannot be without them. */
#include "../inbox.h"

#include <apr_general.h>
#include <apr_strings.h>

#include "config/key.h"
#include "node/node.h"
#include "outbox/missing.h"
#include "outbox/stamp.h"

/* Articles of which only open ones leave, and marks of anything. */
static cm_node_t *make_node(cm_store_t *store, const char *id_type,
                            apr_pool_t *pool)
{
    cm_settings_t *settings = inbox_settings(pool);
    cm_model_t *model;

    database_run(store, "CREATE TABLE articles (id integer NOT NULL, title"
                        " varchar(40), UNIQUE (id))");
    database_run(store, apr_psprintf(pool,
                                     "CREATE TABLE marks (id integer NOT NULL,"
                                     " about_id %s NOT NULL, about varchar(40),"
                                     " UNIQUE (id))",
                                     id_type));
    model = settings_add_model(settings, "article", "articles", "id", pool);
    model->type = "Article";
    model->where = "title LIKE 'open%'";
    model = settings_add_model(settings, "mark", "marks", "id", pool);
    APR_ARRAY_PUSH(model->columns.references, cm_reference_t) =
        (cm_reference_t){.column = "about_id", .type = "about"};
    cm_key_complete(settings);
    return inbox_node(store, settings, pool);
}

/* Return the ids of what leaves: "article 1, mark 1". */
static const char *outgoing(cm_node_t *node, apr_pool_t *pool)
{
    const apr_array_header_t *messages =
        inbox_outgoing(node, "there", pool)->messages;
    const char *text = "";
    int i;

    for (i = 0; i < messages->nelts; i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, const cm_message_t *);

        text = apr_psprintf(pool, "%s%s%s %s", text, i ? ", " : "",
                            message->model, message->identity.original_id);
    }
    return text;
}

static void test_kept(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "integer", pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO articles (id, title) VALUES (1, 'open'),"
                        " (2, 'draft')");
    database_run(store, "INSERT INTO marks (id, about_id, about) VALUES"
                        " (1, 1, 'article'), (2, 2, 'Article'),"
                        " (3, 7, 'something'), (4, 8, 'tag')");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool), "article 1, mark 1, mark 3, mark 4",
           "%s: what cannot be without a row that stays here stays with it",
           database_of(store));
    database_run(store, "UPDATE articles SET title = 'open now' WHERE id = 2");
    database_must(cm_stamp_all(&count, node, pool));
    database_must(cm_missing_publish(&count, node, pool));
    is_int(count, 1, "  it is sent when that row is");
    database_must(cm_stamp_all(&count, node, pool));
    is_str(outgoing(node, pool),
           "article 1, mark 1, mark 3, mark 4, article 2, mark 2",
           "  behind it");
}

/* A column of another type than the key is compared with nothing. */
static void test_text(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = make_node(store, "varchar(40)", pool);
    apr_int64_t count;

    database_run(store, "INSERT INTO marks (id, about_id, about) VALUES"
                        " (1, '2', 'article')");
    database_must(cm_stamp_all(&count, node, pool));
    is_int(inbox_outgoing(node, "there", pool)->messages->nelts, 1,
           "%s: an id of another type", database_of(store));
}

int main(void)
{
    apr_initialize();
    database_each("kept", test_kept);
    database_each("text", test_text);
    apr_terminate();
    return done_testing();
}
