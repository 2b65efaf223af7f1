/* The status page: SetHandler communicator-status in a section with
 * CommunicatorStatus On. It answers GET, changes nothing, and reads the
 * database at most once in two seconds per process. */
#include "mod_communicator.h"

#include <http_core.h>
#include <http_log.h>
#include <http_protocol.h>
#include <http_request.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_thread_mutex.h>

#include "base/buffer.h"
#include "base/clean.h"
#include "base/clock.h"
#include "base/error.h"
#include "config/settings.h"
#include "node/node.h"
#include "operate/journal.h"
#include "exchange/log.h"
#include "exchange/serve.h"

APLOG_USE_MODULE(communicator);

#define HANDLER "communicator-status"

/* How long what was read is fresh enough; tables are checked less often, since
 * each costs some statements. */
#define FRESH   apr_time_from_sec(2)
#define CHECKED apr_time_from_sec(60)

#define MOST_REFRESH 3600

/* What a process has read about one server. */
struct mod_status_cache_t {
    apr_thread_mutex_t *mutex;
    apr_pool_t *pool, *known_pool, *check_pool;
    cm_health_t *health;          /* in POOL */
    const cm_health_t *known;     /* in KNOWN_POOL, the last that was read */
    apr_int64_t unread_since;     /* when reading began to fail; 0: it works */
    apr_array_header_t *problems; /* in CHECK_POOL, as ... */
    apr_array_header_t *days;     /* ... what the journal has, or NULL */
    apr_int64_t checked_at;
};

/* The cache has an allocator of its own, because several threads fill it. */
static mod_status_cache_t *create_cache(apr_pool_t *parent)
{
    mod_status_cache_t *cache = apr_pcalloc(parent, sizeof(*cache));
    apr_allocator_t *allocator;
    apr_pool_t *pool;

    if (apr_allocator_create(&allocator) != APR_SUCCESS)
        return NULL;
    apr_pool_create_ex(&pool, parent, NULL, allocator);
    apr_allocator_owner_set(allocator, pool);
    apr_pool_tag(pool, "communicator_status");
    apr_pool_create(&cache->pool, pool);
    apr_pool_create(&cache->known_pool, pool);
    apr_pool_create(&cache->check_pool, pool);
    if (apr_thread_mutex_create(&cache->mutex, APR_THREAD_MUTEX_DEFAULT,
                                parent) != APR_SUCCESS)
        return NULL;
    return cache;
}

void mod_status_child_init(apr_pool_t *pool, server_rec *server)
{
    server_rec *each;

    for (each = server; each; each = each->next) {
        mod_server_t *config = mod_server_own(server, each);

        if (config)
            config->cache = create_cache(pool);
    }
}

/* Read the last day. Without it the page has no charts. */
static void read_days(mod_status_cache_t *cache, cm_node_t *node,
                      apr_int64_t now)
{
    cm_error_t *err =
        cm_journal_days(&cache->days, node, now, cache->check_pool);

    if (err)
        cache->days = NULL;
}

/* Read into the cache BATON. */
static cm_error_t *read_health(cm_node_t *node, void *baton, apr_pool_t *pool)
{
    mod_status_cache_t *cache = baton;
    apr_int64_t now = cm_clock_now();
    cm_health_t *health;

    CM_TRY(cm_health_read(&health, node, NULL, pool));
    if (!cache->problems || cm_clock_is_past(cache->checked_at, now, CHECKED)) {
        cache->problems = cache->days = NULL;
        apr_pool_clear(cache->check_pool);
        CM_TRY(
            cm_health_judge_check(&cache->problems, node, cache->check_pool));
        read_days(cache, node, now);
        cache->checked_at = now;
    }
    cache->health = health;
    return NULL;
}

/* Keep what was read for the time when it cannot be read. */
static void keep_known(mod_status_cache_t *cache)
{
    apr_pool_t *pool = cache->known_pool;

    if (!cache->health || !cache->health->state)
        return;
    apr_array_clear(cache->health->problems); /* they are of that time only */
    cache->known = cache->health;
    cache->known_pool = cache->pool;
    cache->pool = pool;
}

/* Show ERR, since when it is so, and what was known before. */
static void show_error(mod_status_cache_t *cache, const cm_settings_t *settings,
                       cm_error_t *err, apr_int64_t now)
{
    if (!err->hint)
        err = cm_error_hint(err, cache->pool, "%s",
                            err->code == CM_UNAVAILABLE
                                ? "start the database, or correct DBDParams; "
                                  "then all goes on by itself"
                                : "`communicator-sync check` here says more");
    if (!cache->unread_since)
        cache->unread_since = now;
    cache->health = cm_health_of_error(settings, err, cache->pool);
    cache->health->unread_since = cache->unread_since;
    cache->health->known = cache->known;
}

/* Read again, unless that was done just now. */
static void renew(mod_status_cache_t *cache, const cm_settings_t *settings,
                  request_rec *r)
{
    apr_int64_t now = cm_clock_now();
    cm_error_t *err;
    int i;

    if (cache->health && now >= cache->health->taken_at &&
        now - cache->health->taken_at < FRESH)
        return;
    keep_known(cache);
    cache->health = NULL;
    apr_pool_clear(cache->pool);
    err = mod_database_use(r->server, settings, r->request_time, read_health,
                           cache, cache->pool);
    if (err) {
        show_error(cache, settings, err, now);
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      CM0032 "cannot read the status: %s",
                      cm_error_line(err, r->pool));
        return;
    }
    cache->unread_since = 0;
    for (i = 0; i < cache->problems->nelts; i++)
        cm_health_judge_add(cache->health,
                            &APR_ARRAY_IDX(cache->problems, i, cm_problem_t));
}

/* Return the seconds of refresh= in the query, or 0. */
static int refresh_of(const request_rec *r)
{
    apr_int64_t seconds = 0;
    cm_error_t *err = cm_request_number(&seconds, r->args, "refresh", r->pool);

    return !err && seconds > 0 && seconds <= MOST_REFRESH ? (int)seconds : 0;
}

/* Append what CACHE has in the format that the query of R asks for; set type
 * and status. Monitors read only bodies of answers with status 200, so problems
 * are reported in the body. Returns 0 for an unknown format. */
static int render(cm_buffer_t *out, const mod_status_cache_t *cache,
                  request_rec *r)
{
    const cm_health_t *health = cache->health;
    const cm_health_limits_t limits = {0, health->expect_every};
    const char *format = cm_request_value(r->args, "format", r->pool);

    if (!format || !strcmp(format, "html")) {
        ap_set_content_type(r, "text/html;charset=utf-8");
        mod_status_page(out, health, cache->days, refresh_of(r));
    }
    else if (!strcmp(format, "json")) {
        ap_set_content_type(r, "application/json");
        cm_health_text_json(out, health);
    }
    else if (!strcmp(format, "prometheus")) {
        ap_set_content_type(r, "text/plain;version=0.0.4;charset=utf-8");
        cm_health_text_prometheus(out, health);
        return 1;
    }
    else if (!strcmp(format, "nagios")) {
        ap_set_content_type(r, "text/plain;charset=utf-8");
        cm_health_text_nagios(out, health, &limits);
        return 1;
    }
    else
        return 0;
    if (!health->state)
        r->status = HTTP_SERVICE_UNAVAILABLE;
    return 1;
}

/* Return the text in OUT, safe to show in a browser or a terminal: it contains
 * names and reasons that come from peers. */
static const char *fit(cm_buffer_t *out, request_rec *r)
{
    int json = !strcmp(r->content_type, "application/json");

    cm_buffer_append(out, "", 1);
    return json ? cm_clean_json(out->data, r->pool)
                : cm_clean_lines(out->data, r->pool);
}

static void set_headers(request_rec *r)
{
    apr_table_t *headers = r->headers_out;

    apr_table_setn(headers, "Cache-Control", "no-store");
    apr_table_setn(headers, "Content-Security-Policy",
                   "default-src 'none'; style-src 'unsafe-inline'; "
                   "base-uri 'none'; form-action 'none'; "
                   "frame-ancestors 'none'");
    apr_table_setn(headers, "X-Content-Type-Options", "nosniff");
    apr_table_setn(headers, "Referrer-Policy", "no-referrer");
}

/* Return OK, or the status that refuses R. */
static int refusal(request_rec *r, const mod_server_t *config)
{
    const mod_location_t *location =
        ap_get_module_config(r->per_dir_config, &communicator_module);

    if (location->status != 1) {
        ap_log_rerror(APLOG_MARK, APLOG_WARNING, 0, r,
                      CM0030 "SetHandler " HANDLER
                             " needs CommunicatorStatus On in a section of the "
                             "server's configuration");
        return HTTP_FORBIDDEN;
    }
    if (r->method_number != M_GET) {
        ap_allow_standard_methods(r, REPLACE_ALLOW, M_GET, -1);
        return HTTP_METHOD_NOT_ALLOWED;
    }
    if (!config->cache) {
        ap_log_rerror(
            APLOG_MARK, APLOG_ERR, 0, r,
            CM0031
            "there is no status page: this server has no CommunicatorName");
        return HTTP_NOT_FOUND;
    }
    return OK;
}

int mod_status_handler(request_rec *r)
{
    const mod_server_t *config =
        ap_get_module_config(r->server->module_config, &communicator_module);
    cm_buffer_t *out;
    const char *text;
    int status, known;

    if (!r->handler || strcmp(r->handler, HANDLER))
        return DECLINED;
    status = refusal(r, config);
    if (status == OK)
        status = ap_discard_request_body(r);
    if (status != OK)
        return status;
    out = cm_buffer_create(8192, r->pool);
    apr_thread_mutex_lock(config->cache->mutex);
    renew(config->cache, config->settings, r);
    known = render(out, config->cache, r);
    apr_thread_mutex_unlock(config->cache->mutex);
    if (!known)
        return HTTP_BAD_REQUEST;
    text = fit(out, r);
    set_headers(r);
    ap_set_content_length(r, (apr_off_t)strlen(text));
    ap_rputs(text, r);
    return OK;
}
