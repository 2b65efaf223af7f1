/* The health of a node: what is counted, what is judged a trouble, and that
 * each way to print it can be read. */
#include <json.h>

#include "base/clock.h"
#include "schema/migrate.h"
#include "operate/health.h"
#include "../database.h"
#include "../settings.h"
#include "../tap.h"

#define MINUTE (60 * (apr_int64_t)1000000)
#define FMT    "%" APR_INT64_T_FMT

static cm_node_t *make_node(cm_store_t *store, cm_settings_t *settings,
                            apr_pool_t *pool)
{
    cm_node_t *node;

    settings_migrate(store, settings, pool);
    database_must(cm_node_open(&node, settings, store, pool));
    return node;
}

/* Return the problem I of STATE in one word: "critical there: text". */
static const char *problem_of(const cm_health_t *health, int i,
                              apr_pool_t *pool)
{
    const cm_problem_t *problem;

    if (i >= health->problems->nelts)
        return NULL;
    problem = &APR_ARRAY_IDX(health->problems, i, cm_problem_t);
    return apr_pstrcat(pool, cm_health_severity_name(problem->severity), ": ",
                       problem->text, NULL);
}

/* A queue out, with a change of the peer's own and one not stamped; the rest
 * of a queue in. */
static void fill(cm_store_t *store, apr_pool_t *pool)
{
    apr_int64_t now = cm_clock_now();
    int i;

    for (i = 1; i <= 5; i++)
        database_run(
            store, apr_psprintf(
                       pool,
                       "INSERT INTO outbound_messages (seq, model, body,"
                       " clock, source) VALUES (%s, 'post', '{}', " FMT ", %s)",
                       i == 5 ? "NULL" : apr_itoa(pool, i),
                       now - (100 - i) * MINUTE, i == 4 ? "'there'" : "NULL"));
    for (i = 1; i <= 25; i++)
        database_run(
            store,
            apr_psprintf(pool,
                         "INSERT INTO inbound_messages (peer, id, model, body,"
                         " received_at, error, transient) VALUES ('there', %d,"
                         " 'post', '{}', " FMT ", 'a | <b> \"c\"', %d)",
                         i, now - 90 * MINUTE + i, i <= 22));
    database_run(
        store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_received (peer, first_seq,"
                     " last_seq, messages, received_at) VALUES ('there', 1, 25,"
                     " 25, " FMT "), ('there', 26, 29, 4, " FMT ")",
                     now - 90 * MINUTE, now - 30 * MINUTE));
    database_run(store, "UPDATE communicator_node SET last_seq = 4");
    database_run(
        store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_peers (name, confirmed,"
                     " received, last_pull_at, clock_offset) VALUES ('there',"
                     " 1, 25, " FMT ", -200000000), ('once', 0, 0, 7, 0)",
                     now - 30 * MINUTE));
    database_run(
        store,
        apr_psprintf(pool,
                     "INSERT INTO communicator_conflicts (model,"
                     " local_record_id, column_name, lost_value, peer,"
                     " created_at) VALUES ('post', '7', 'title', '\"x\"',"
                     " 'there', " FMT "), ('post', '8', 'title', NULL, NULL,"
                     " 1)",
                     now - MINUTE));
}

static void counts(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store);
    const cm_health_peer_t *peer;
    const cm_status_peer_t *queue;
    cm_health_t *health;
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    node = make_node(store, settings, pool);
    database_must(cm_health_read(&health, node, NULL, pool));
    ok(health->severity == CM_SEVERITY_OK && !health->problems->nelts,
       "%s: nothing happened, nothing is wrong", name);
    is_str(
        database_value(store, "SELECT count(*) FROM communicator_peers", pool),
        "0", "%s: looking changes nothing", name);

    fill(store, pool);
    database_must(cm_health_read(&health, node, NULL, pool));
    peer = &APR_ARRAY_IDX(health->peers, 0, cm_health_peer_t);
    queue = peer->state;
    is_int(queue->pending.count, 3, "%s: its own change is not for it", name);
    is_int((health->taken_at - queue->pending.oldest_clock) / MINUTE, 98,
           "%s: the age of the oldest", name);
    is_int(queue->parked - queue->waiting, 3, "%s: parked for a person", name);
    is_int(queue->waiting, 22, "%s: parked until another comes", name);
    is_int(peer->received_recently, 4, "%s: what came recently", name);
    is_int(health->parked->nelts, CM_HEALTH_LISTED, "%s: some are listed",
           name);
    is_int(APR_ARRAY_IDX(health->parked, 0, cm_parked_row_t).message.id, 23,
           "%s: those for a person first", name);
    is_int(health->conflicts->nelts, 2, "%s: conflicts", name);
    is_int(health->state->conflicts, 1, "%s: one recently", name);
    is_int(health->peers->nelts, 1, "%s: a peer known once is none", name);
}

static void judgement(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store);
    cm_health_t *health;
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    node = make_node(store, settings, pool);
    settings->expect_every = 10 * MINUTE;
    database_must(cm_health_read(&health, node, NULL, pool));
    is_str(problem_of(health, 0, pool),
           "critical: 'there' has never been in contact (expected every 10"
           " min)",
           "%s: a peer that never came", name);
    fill(store, pool);
    database_must(cm_health_read(&health, node, NULL, pool));
    is_str(problem_of(health, 0, pool),
           "critical: 'there' has been silent for 30 min (expected every 10"
           " min)",
           "%s: a silent peer comes first", name);
    is_str(problem_of(health, 1, pool), "warning: 3 messages of 'there' parked",
           "%s: then what is parked", name);
    is_str(problem_of(health, 2, pool),
           "warning: the clock of 'there' is 3 min behind ours",
           "%s: then its clock", name);
    is_int(health->problems->nelts, 3, "%s: that is all", name);

    settings->expect_every = 31 * MINUTE;
    database_run(store, "UPDATE communicator_node SET paused_at = 1");
    database_must(cm_health_read(&health, node, NULL, pool));
    is_int(health->severity, CM_SEVERITY_WARNING, "%s: in time", name);
    ok(strstr(problem_of(health, 0, pool), "paused for") != NULL, "%s: paused",
       name);
    ok(strstr(problem_of(health, 1, pool),
              "3 messages for 'there' not confirmed, the oldest for 98 min") !=
           NULL,
       "%s: it comes, and takes nothing", name);
}

static void triggers(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store);
    apr_array_header_t *problems;
    cm_node_t *node;

    database_run(store, "CREATE TABLE posts (id integer PRIMARY KEY,"
                        " title varchar(20))");
    node = make_node(store, settings, pool);
    settings_add_model(settings, "post", "posts", "id", pool);
    settings_add_model(settings, "note", "notes", "id", pool);
    database_must(cm_health_judge_check(&problems, node, pool));
    is_int(problems->nelts, 2, "%s: two tables, two problems", name);
    ok(strstr(APR_ARRAY_IDX(problems, 0, cm_problem_t).text,
              "the triggers of table 'posts' are missing") != NULL,
       "%s: no triggers", name);
    ok(strstr(APR_ARRAY_IDX(problems, 1, cm_problem_t).text, "model 'note'") !=
           NULL,
       "%s: no table", name);
    settings->models->nelts = 1;
    settings_migrate(store, settings, pool);
    database_must(cm_health_judge_check(&problems, node, pool));
    is_int(problems->nelts, 0, "%s: after migrate all is well", name);
}

/* Return what PRINT writes of STATE. */
static const char *printed(void (*print)(cm_buffer_t *, const cm_health_t *),
                           const cm_health_t *health, apr_pool_t *pool)
{
    cm_buffer_t *out = cm_buffer_create(100, pool);

    print(out, health);
    cm_buffer_append(out, "", 1);
    return out->data;
}

/* As the status page prints it. */
static void print_nagios(cm_buffer_t *out, const cm_health_t *health)
{
    const cm_health_limits_t limits = {0, health->expect_every};

    cm_health_text_nagios(out, health, &limits);
}

static void formats(cm_store_t *store, apr_pool_t *pool)
{
    cm_settings_t *settings = settings_make(pool);
    const char *name = database_of(store), *text;
    json_object *json, *parked, *reason;
    cm_health_t *health;
    cm_node_t *node;

    settings_add_peer(settings, "there", pool);
    node = make_node(store, settings, pool);
    database_must(cm_health_read(&health, node, NULL, pool));
    is_str(printed(print_nagios, health, pool),
           "COMMUNICATOR OK - last contact never, 0 pending, 0 parked |"
           " 'there age'=0s;;;0 'there pending'=0;;;0 'there oldest'=0s;;;0"
           " 'there parked'=0;0;;0 'there withheld'=0;0;;0\n",
           "%s: Nagios, all is well", name);
    fill(store, pool);
    settings->expect_every = 10 * MINUTE;
    database_must(cm_health_read(&health, node, NULL, pool));

    json = json_tokener_parse(printed(cm_health_text_json, health, pool));
    ok(json && json_object_object_get_ex(json, "parked", &parked) &&
           json_object_object_get_ex(json_object_array_get_idx(parked, 0),
                                     "reason", &reason),
       "%s: JSON", name);
    is_str(json_object_get_string(reason), "a | <b> \"c\"",
           "%s: holds what there is", name);
    json_object_put(json);
    is_str(printed(print_nagios, health, pool),
           "COMMUNICATOR CRITICAL - 'there' has been silent for 30 min"
           " (expected every 10 min), and 2 more | 'there age'=1800s;;600;0"
           " 'there pending'=3;;;0 'there oldest'=5880s;;;0"
           " 'there parked'=25;0;;0 'there withheld'=0;0;;0\n",
           "%s: Nagios, a trouble", name);
    text = printed(cm_health_text_prometheus, health, pool);
    ok(strstr(text, "\ncommunicator_pending_messages{peer=\"there\"} 3\n") !=
           NULL,
       "%s: Prometheus", name);
    ok(!strstr(text, "peer=\"once\""), "%s: of known peers only", name);

    health = cm_health_of_error(
        settings, CM_FAIL(pool, CM_UNAVAILABLE, "no | database"), pool);
    is_str(printed(print_nagios, health, pool),
           "COMMUNICATOR CRITICAL - no   database |\n",
           "%s: without a database", name);
    ok(strstr(printed(cm_health_text_prometheus, health, pool),
              "\ncommunicator_up 0\n") != NULL,
       "%s: it is down", name);
}

int main(void)
{
    if (!database_any())
        return skip_all("no database to test with");
    database_each("counts", counts);
    database_each("judgement", judgement);
    database_each("triggers", triggers);
    database_each("formats", formats);
    return done_testing();
}
