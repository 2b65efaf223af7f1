/* The task that checks without being asked: after the start whether database,
 * tables and triggers are as they should be, then at intervals whether a peer
 * is silent. Each problem is logged when it starts, once a day while it lasts,
 * and when it ends. mod_status' page shows the numbers of the last check, and
 * the journal keeps them. */
#include "mod_communicator.h"

#include <http_core.h>
#include <http_log.h>
#include <mod_watchdog.h>
#include <string.h>

#include <apr_atomic.h>
#include <apr_hash.h>
#include <apr_shm.h>
#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/clock.h"
#include "operate/health.h"
#include "operate/journal.h"
#include "operate/purge.h"
#include "exchange/log.h"

APLOG_USE_MODULE(communicator);

#define NAME "_communicator_"

/* How often it checks: twice within CommunicatorExpectEvery, but within these
 * bounds. */
#define MOST_INTERVAL  apr_time_from_sec(30)
#define LEAST_INTERVAL apr_time_from_sec(1)

/* How often tables and triggers are checked while all is well. */
#define CHECK_INTERVAL apr_time_from_sec(600)

/* How often a problem that lasts is logged again. */
#define REMIND_INTERVAL apr_time_from_sec(86400)

typedef struct watch_t {
    server_rec *first;
    ap_watchdog_t *watchdog;
    apr_interval_time_t interval;
    apr_time_t started;
    apr_thread_mutex_t *looking; /* this child's, held during a check */
    apr_uint32_t ready;          /* this child has its connections */
    int ending;                  /* this child ends */
} watch_t;

/* One check of one server. */
typedef struct look_t {
    server_rec *server;
    mod_sample_t *sample;
    int check; /* tables and triggers, too */
    cm_health_t *health;
    apr_array_header_t *problems;
} look_t;

/* Write what this minute brought. That it cannot be written is logged once, and
 * not at all where the database is busy. */
static void write_journal(const look_t *look, cm_node_t *node, apr_pool_t *pool)
{
    cm_error_t *err = cm_journal_sample(node, look->health, pool);

    if (err && cm_error_code_is_transient(err->code))
        return;
    if (err && !look->sample->unwritten)
        ap_log_error(APLOG_MARK, APLOG_WARNING, 0, look->server, CM0046 "%s",
                     cm_error_line(err, pool));
    look->sample->unwritten = err != NULL;
}

static cm_error_t *look_at_node(cm_node_t *node, void *baton, apr_pool_t *pool)
{
    look_t *look = baton;
    apr_int64_t removed;

    CM_TRY(cm_health_read(&look->health, node, NULL, pool));
    write_journal(look, node, pool);
    if (!look->check) {
        CM_TRY(cm_health_judge_triggers(&look->problems, node, pool));
        look->check = look->problems->nelts > 0;
    }
    if (!look->check)
        return NULL;
    CM_TRY(cm_health_judge_check(&look->problems, node, pool));
    /* On this side there is no cron job that would purge. */
    return cm_purge_retain(&removed, node, pool);
}

/* Return PROBLEM and its remedy as text. */
static const char *words_of(const cm_problem_t *problem, apr_pool_t *pool)
{
    return problem->hint
               ? apr_psprintf(pool, "%s (%s)", problem->text, problem->hint)
               : problem->text;
}

/* Log that the node cannot work because of LIST, or can again. */
static void log_check(const look_t *look, const apr_array_header_t *list,
                      apr_pool_t *pool)
{
    mod_sample_t *sample = look->sample;
    apr_time_t now = apr_time_now();
    apr_ssize_t size = APR_HASH_KEY_STRING;
    apr_uint32_t hash = 0;
    const char *words;
    int first = !sample->checked_at;

    sample->checked_at = now;
    if (list->nelts) {
        words = words_of(&APR_ARRAY_IDX(list, 0, cm_problem_t), pool);
        hash = apr_hashfunc_default(words, &size) | 1;
        if (hash == sample->logged &&
            !cm_clock_is_past(sample->logged_at, now, REMIND_INTERVAL))
            return;
        if (list->nelts > 1)
            words =
                apr_psprintf(pool, "%s, and %d more", words, list->nelts - 1);
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, look->server,
                     CM0033 "Communicator cannot work: %s", words);
        sample->logged_at = now;
    }
    else if (first || sample->logged)
        ap_log_error(APLOG_MARK, first ? APLOG_INFO : APLOG_NOTICE, 0,
                     look->server,
                     CM0034 "database, tables and triggers are as they "
                            "should be");
    sample->logged = hash;
}

/* Log which peers have fallen silent or are back. */
static void log_silence(const look_t *look, apr_pool_t *pool)
{
    const cm_health_t *health = look->health;
    mod_sample_t *sample = look->sample;
    int i, k;

    for (i = 0; i < health->peers->nelts && i < 64; i++) {
        const cm_health_peer_t *peer =
            &APR_ARRAY_IDX(health->peers, i, cm_health_peer_t);
        const char *name = peer->state->peer->name;
        apr_uint64_t bit = (apr_uint64_t)1 << i;
        int silent = peer->severity == CM_SEVERITY_CRITICAL;

        if (silent == ((sample->silent & bit) != 0))
            continue;
        sample->silent ^= bit;
        for (k = 0; silent && k < health->problems->nelts; k++) {
            const cm_problem_t *problem =
                &APR_ARRAY_IDX(health->problems, k, cm_problem_t);

            if (problem->severity == CM_SEVERITY_CRITICAL &&
                problem->peer == name)
                ap_log_error(APLOG_MARK, APLOG_ERR, 0, look->server,
                             CM0035 "%s", words_of(problem, pool));
        }
        if (!silent)
            ap_log_error(APLOG_MARK, APLOG_NOTICE, 0, look->server,
                         CM0036 "peer '%s' is back", name);
    }
}

static void keep(mod_sample_t *sample, const cm_health_t *health,
                 const apr_array_header_t *problems)
{
    sample->severity =
        problems->nelts ? CM_SEVERITY_CRITICAL : health->severity;
    sample->sums = cm_health_sum(health);
    sample->taken_at = health->taken_at;
}

/* A peer that could not call while httpd was down gets time to do so. */
static void look_at(server_rec *server, const mod_server_t *config,
                    apr_time_t started, apr_pool_t *pool)
{
    look_t look = {.server = server, .sample = config->sample};
    apr_time_t age = apr_time_now() - look.sample->checked_at;
    cm_error_t *err;

    look.check = look.sample->logged || age < 0 || age > CHECK_INTERVAL;
    look.problems = apr_array_make(pool, 1, sizeof(cm_problem_t));
    err = mod_database_use(server, config->settings, apr_time_now(),
                           look_at_node, &look, pool);
    if (err) {
        look.health = cm_health_of_error(config->settings, err, pool);
        look.problems = look.health->problems;
        look.check = 1;
    }
    else if (cm_clock_is_past(started, apr_time_now(),
                              config->settings->expect_every))
        log_silence(&look, pool);
    if (look.check)
        log_check(&look, look.problems, pool);
    keep(look.sample, look.health, look.problems);
}

static void look_around(const watch_t *watched, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    server_rec *each;

    apr_pool_create(&iterpool, pool);
    for (each = watched->first; each && !watched->ending; each = each->next) {
        const mod_server_t *config = mod_server_own(watched->first, each);

        apr_pool_clear(iterpool);
        if (config && config->endpoints && config->sample)
            look_at(each, config, watched->started, iterpool);
    }
    apr_pool_destroy(iterpool);
}

static apr_status_t watch(int state, void *data, apr_pool_t *pool)
{
    watch_t *watched = data;
    APR_OPTIONAL_FN_TYPE(ap_watchdog_set_callback_interval) *set_interval =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_set_callback_interval);

    if (state != AP_WATCHDOG_STATE_RUNNING ||
        !apr_atomic_read32(&watched->ready))
        return APR_SUCCESS;
    set_interval(watched->watchdog, watched->interval, watched, watch);
    apr_thread_mutex_lock(watched->looking);
    look_around(watched, pool);
    apr_thread_mutex_unlock(watched->looking);
    return APR_SUCCESS;
}

/* Wait until a check under way has ended: mod_dbd's connections are closed with
 * the child's pool, before mod_watchdog waits for its thread. The mutex must
 * outlive that pool: the thread may lock it until mod_watchdog has waited. */
static apr_status_t end_watch(void *data)
{
    watch_t *watched = data;

    watched->ending = 1;
    apr_thread_mutex_lock(watched->looking);
    apr_thread_mutex_unlock(watched->looking);
    return APR_SUCCESS;
}

/* mod_watchdog may start before mod_dbd is ready, which then gives no
 * connection and no error. So this hook runs after that of mod_dbd. */
void mod_watchdog_child_init(apr_pool_t *pool, server_rec *server)
{
    watch_t *watched;
    void *data = NULL;

    apr_pool_userdata_get(&data, NAME, server->process->pconf);
    watched = data;
    if (!watched ||
        apr_thread_mutex_create(&watched->looking, APR_THREAD_MUTEX_DEFAULT,
                                server->process->pool) != APR_SUCCESS)
        return;
    apr_pool_pre_cleanup_register(pool, watched, end_watch);
    apr_atomic_set32(&watched->ready, 1);
}

/* Give each server that has an endpoint a place in shared memory; return how
 * often to check, 0 when there is nothing to check. */
static apr_interval_time_t prepare(server_rec *first, apr_pool_t *pconf)
{
    apr_interval_time_t interval = MOST_INTERVAL;
    mod_sample_t *samples;
    server_rec *each;
    apr_shm_t *memory;
    apr_size_t size = 0, count = 0;

    for (each = first; each; each = each->next)
        size += sizeof(mod_sample_t);
    if (apr_shm_create(&memory, size, NULL, pconf) != APR_SUCCESS)
        return 0;
    samples = apr_shm_baseaddr_get(memory);
    memset(samples, 0, size);
    for (each = first; each; each = each->next) {
        mod_server_t *config = mod_server_own(first, each);

        if (!config || !config->endpoints)
            continue;
        config->sample = &samples[count++];
        if (config->settings->expect_every &&
            interval > config->settings->expect_every / 2)
            interval = config->settings->expect_every / 2;
    }
    if (!count)
        return 0;
    return interval < LEAST_INTERVAL ? LEAST_INTERVAL : interval;
}

int mod_watchdog_post_config(apr_pool_t *pconf, apr_pool_t *plog,
                             apr_pool_t *ptemp, server_rec *server)
{
    APR_OPTIONAL_FN_TYPE(ap_watchdog_get_instance) *get =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_get_instance);
    APR_OPTIONAL_FN_TYPE(ap_watchdog_register_callback) *add =
        APR_RETRIEVE_OPTIONAL_FN(ap_watchdog_register_callback);
    watch_t *watched;

    (void)plog;
    (void)ptemp;
    if (ap_state_query(AP_SQ_MAIN_STATE) == AP_SQ_MS_CREATE_PRE_CONFIG)
        return OK;
    if (!get || !add) {
        ap_log_error(
            APLOG_MARK, APLOG_INFO, 0, server,
            CM0037 "mod_watchdog is not loaded: silent peers are not reported");
        return OK;
    }
    watched = apr_pcalloc(pconf, sizeof(*watched));
    watched->first = server;
    watched->started = apr_time_now();
    watched->interval = prepare(server, pconf);
    if (!watched->interval)
        return OK;
    if (get(&watched->watchdog, NAME, 0, 1, pconf) != APR_SUCCESS ||
        add(watched->watchdog, 0, watched, watch) != APR_SUCCESS) {
        ap_log_error(APLOG_MARK, APLOG_ERR, 0, server,
                     CM0038 "cannot create a task of mod_watchdog");
        return HTTP_INTERNAL_SERVER_ERROR;
    }
    apr_pool_userdata_setn(watched, NAME, NULL, server->process->pconf);
    return OK;
}
