/* Reporting a problem once: see alert.h. */
#include "alert.h"

#include <string.h>

#include <apr_strings.h>
#include <json.h>

#include "base/number.h"
#include "base/clock.h"
#include "memory.h"
#include "notify.h"

#define REMIND       86400     /* seconds between two reports of a problem */
#define PATIENT_RUNS 5         /* failed runs before the peer is tried less */
#define LONGEST      (15 * 60) /* seconds between two tries */
#define PARKED       "PARKED"
#define EPISODES     3          /* within REMIND: it comes and goes */
#define CALM         (6 * 3600) /* seconds without it: it is over */

struct sync_alert_t {
    const sync_client_t *client;
    const char *name; /* of the member that is remembered */
    const char *peer; /* the same if it is a peer, else NULL */
    json_object *memory;
    apr_int64_t now; /* seconds since 1970 */
    apr_pool_t *pool;
};

/* Return the member NAME of OBJECT, an object that is made if necessary. */
static json_object *part(json_object *object, const char *name)
{
    json_object *value = json_object_object_get(object, name);

    if (!value) {
        value = json_object_new_object();
        json_object_object_add(object, name, value);
    }
    return value;
}

static const char *text_in(json_object *object, const char *name)
{
    json_object *value = json_object_object_get(object, name);

    return value ? json_object_get_string(value) : "";
}

/* Return what kind of problem is under way; "": none. */
static const char *trouble_of(const sync_alert_t *alert)
{
    return text_in(alert->memory, "trouble");
}

sync_alert_t *sync_alert_open(const sync_client_t *client, const char *name,
                              apr_pool_t *pool)
{
    sync_alert_t *alert = apr_pcalloc(pool, sizeof(*alert));

    alert->client = client;
    alert->name = name;
    alert->peer = cm_settings_peer(client->settings, name) ? name : NULL;
    alert->pool = pool;
    alert->now = apr_time_sec(apr_time_now());
    alert->memory = sync_memory_read(client, name, pool);
    return alert;
}

int sync_alert_is_too_soon(int *status, const sync_alert_t *alert)
{
    apr_int64_t next = sync_memory_number(alert->memory, "next_try");

    if (!alert->client->options->run.cron || alert->now >= next ||
        next > alert->now + LONGEST)
        return 0;
    *status = (int)sync_memory_number(alert->memory, "exit_status");
    return 1;
}

/* Return what is remembered of a kind of problem: how often it came within a
 * day, and whether it comes and goes. */
static json_object *flaps_of(const sync_alert_t *alert, const char *kind)
{
    return part(part(alert->memory, "flaps"), kind);
}

int sync_alert_tells_parked(const sync_alert_t *alert)
{
    int known = sync_memory_number(alert->memory, "told") &&
                strcmp(trouble_of(alert), PARKED) == 0;

    return !alert->client->options->run.cron ||
           (!known && !sync_memory_number(flaps_of(alert, PARKED), "flapping"));
}

/* Return the kind of problem that ERR belongs to. One outage has several errors
 * (no route, then 503): they are one problem. */
static const char *kind_of(const cm_error_t *err)
{
    return cm_error_code_is_transient(err->code) && err->code != CM_PAUSED
               ? "AWAY"
               : cm_error_code_name(err->code);
}

/* Run the command; if it fails, the next run tries again. */
static void notify(const sync_alert_t *alert, const char *event,
                   const char *words)
{
    const cm_settings_t *settings = alert->client->settings;
    json_object *untold;
    cm_error_t *err;

    json_object_object_del(alert->memory, "untold");
    if (!settings->client.notify_command ||
        !strcmp(alert->name, SYNC_ALERT_NOTIFY))
        return;
    err = sync_notify(settings->client.notify_command, event,
                      alert->peer ? alert->peer : settings->name, words,
                      alert->pool);
    if (err) {
        untold = part(alert->memory, "untold");
        sync_output_add_text(untold, "event", event);
        sync_output_add_text(untold, "words", words);
    }
    sync_alert_close(
        sync_alert_open(alert->client, SYNC_ALERT_NOTIFY, alert->pool), err,
        NULL, 0);
}

/* Run the command again with what it failed to report. */
static void notify_again(const sync_alert_t *alert)
{
    json_object *untold = json_object_object_get(alert->memory, "untold");
    json_object *event = json_object_object_get(untold, "event");
    json_object *words = json_object_object_get(untold, "words");

    if (event && words)
        notify(alert, apr_pstrdup(alert->pool, json_object_get_string(event)),
               apr_pstrdup(alert->pool, json_object_get_string(words)));
}

static const char *date_of(apr_int64_t seconds, apr_pool_t *pool)
{
    char *date = apr_palloc(pool, APR_RFC822_DATE_LEN);

    apr_rfc822_date(date, apr_time_from_sec(seconds));
    return date;
}

/* Print the error of this run, and (unless EVENT is NULL) run the command.
 * EVENT is "flapping" for a problem that comes and goes. */
static void tell(const sync_alert_t *alert, const cm_error_t *err,
                 const char *event)
{
    const char *words =
        apr_pstrcat(alert->pool, cm_error_text(err, alert->pool),
                    err->hint ? "\nhint: " : NULL, err->hint, NULL);
    apr_pool_t *pool = alert->pool;
    apr_int64_t since = 0;

    if (event && !strcmp(event, "reminder"))
        err = cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                            "still, since %s",
                            text_in(alert->memory, "since_text"));
    else if (event && !strcmp(event, "flapping")) {
        since = sync_memory_number(flaps_of(alert, kind_of(err)), "flapping");
        event = since < alert->now ? "reminder" : "trouble";
        if (since < alert->now)
            err = cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                                "it still comes and goes, since %s",
                                date_of(since, pool));
        else
            err = cm_error_make(pool, err->code, err, __FILE__, __LINE__,
                                "it comes and goes (%d times within a day), "
                                "and is reported once a day from now on",
                                EPISODES);
    }
    sync_output_error(alert->client->output, alert->peer, err, pool);
    if (event)
        notify(alert, event, words);
}

static const char *duration(apr_int64_t seconds, apr_pool_t *pool)
{
    if (seconds < 120)
        return apr_psprintf(pool, "%d s", (int)seconds);
    if (seconds < 7200)
        return apr_psprintf(pool, "%d min", (int)(seconds / 60));
    if (seconds < 172800)
        return apr_psprintf(pool, "%d h %d min", (int)(seconds / 3600),
                            (int)(seconds / 60 % 60));
    return apr_psprintf(pool, "%d days", (int)(seconds / 86400));
}

/* Remember that KIND was reported just now. */
static void set_told(const sync_alert_t *alert, const char *kind)
{
    sync_output_add_number(part(alert->memory, "kinds"), kind, alert->now);
    sync_output_add_number(alert->memory, "told", alert->now);
    sync_output_add_number(alert->memory, "was_told", 1);
}

static void begin_trouble(const sync_alert_t *alert, const char *kind)
{
    json_object *memory = alert->memory;

    /* A problem whose error changes keeps its beginning. */
    if (!*trouble_of(alert)) {
        sync_output_add_number(memory, "since", alert->now);
        sync_output_add_text(memory, "since_text",
                             date_of(alert->now, alert->pool));
    }
    sync_output_add_text(memory, "trouble", kind);
    sync_output_add_number(memory, "runs", 0);
    sync_output_add_number(
        memory, "told",
        sync_memory_number(json_object_object_get(memory, "kinds"), kind));
}

static void end_trouble(const sync_alert_t *alert)
{
    static const char *const names[] = {
        "trouble", "reason", "hint",     "since",    "since_text",
        "runs",    "told",   "next_try", "was_told", "kinds"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_object_del(alert->memory, names[i]);
}

/* Remember that a problem has come once more; return how often it did within a
 * day. */
static size_t count_episode(const sync_alert_t *alert, json_object *flaps)
{
    json_object *kept = json_object_new_array();
    json_object *list = json_object_object_get(flaps, "episodes");
    size_t i, count = 0;

    if (json_object_is_type(list, json_type_array))
        count = json_object_array_length(list);
    for (i = 0; i < count; i++) {
        apr_int64_t then =
            json_object_get_int64(json_object_array_get_idx(list, i));

        if (!cm_clock_is_past(then, alert->now, REMIND))
            json_object_array_add(kept, json_object_new_int64(then));
    }
    json_object_array_add(kept, json_object_new_int64(alert->now));
    count = json_object_array_length(kept);
    json_object_object_add(flaps, "episodes", kept);
    return count;
}

/* Return EVENT, or what to report instead; NULL: nothing. A problem that comes
 * and goes is reported as such, once, and then once a day. */
static const char *damped(const sync_alert_t *alert, const char *kind,
                          const char *event)
{
    json_object *flaps = flaps_of(alert, kind);

    json_object_object_del(flaps, "calm");
    if (!event || strcmp(event, "trouble") != 0)
        return event;
    if (!sync_memory_number(flaps, "flapping")) {
        if (count_episode(alert, flaps) < EPISODES)
            return event;
        sync_output_add_number(flaps, "flapping", alert->now);
    }
    else if (!cm_clock_is_past(sync_memory_number(flaps, "flapping_told"),
                               alert->now, REMIND))
        return NULL;
    sync_output_add_number(flaps, "flapping_told", alert->now);
    return "flapping";
}

/* Report that the problem REASON, which began at SINCE, is over. */
static void tell_recovery(const sync_alert_t *alert,
                          const cm_session_t *session, apr_int64_t since,
                          const char *reason)
{
    apr_int64_t moved =
        session ? session->totals.pushed + session->totals.pulled : 0;
    const char *words = apr_psprintf(
        alert->pool, "recovered after %s%s: %s",
        duration(alert->now - since, alert->pool),
        moved ? apr_psprintf(alert->pool, ", %s delivered",
                             cm_number_of(moved, "message", alert->pool))
              : "",
        reason);

    if (!alert->client->options->run.cron)
        return;
    sync_output_warn(alert->client->output, alert->peer, "%s", words);
    notify(alert, "recovered", words);
}

/* The problem is over for now, which is not reported if it comes and goes. */
static void meet_end(const sync_alert_t *alert, const cm_session_t *session)
{
    json_object *memory = alert->memory;
    json_object *kinds = json_object_object_get(memory, "kinds");
    int tells = sync_memory_number(memory, "was_told") != 0;

    if (kinds) {
        json_object_object_foreach(kinds, kind, told)
        {
            json_object *flaps = flaps_of(alert, kind);

            (void)told;
            if (!sync_memory_number(flaps, "flapping"))
                continue;
            tells = 0;
            sync_output_add_number(flaps, "calm", alert->now);
            sync_output_add_text(flaps, "reason", text_in(memory, "reason"));
        }
    }
    if (tells)
        tell_recovery(alert, session, sync_memory_number(memory, "since"),
                      text_in(memory, "reason"));
    end_trouble(alert);
}

/* A problem that came and went is over once it has stayed away for CALM. */
static void meet_calm(const sync_alert_t *alert, const cm_session_t *session)
{
    json_object *all = json_object_object_get(alert->memory, "flaps");

    if (!all)
        return;
    json_object_object_foreach(all, kind, flaps)
    {
        apr_int64_t calm = sync_memory_number(flaps, "calm");

        (void)kind;
        if (!calm || alert->now - calm < CALM)
            continue;
        tell_recovery(alert, session, sync_memory_number(flaps, "flapping"),
                      apr_pstrdup(alert->pool, text_in(flaps, "reason")));
        json_object_object_del(flaps, "calm");
        json_object_object_del(flaps, "flapping");
        json_object_object_del(flaps, "flapping_told");
        json_object_object_del(flaps, "episodes");
    }
}

/* Try a peer less often that stays away: after 1, 2, 4, 8, then 15 minutes. */
static void plan(const sync_alert_t *alert, apr_int64_t runs)
{
    apr_int64_t wait = 60;

    if (runs <= PATIENT_RUNS) {
        json_object_object_del(alert->memory, "next_try");
        return;
    }
    while (runs-- > PATIENT_RUNS + 1 && wait < LONGEST)
        wait *= 2;
    if (wait > LONGEST)
        wait = LONGEST;
    /* Cron's minutes are not exact. */
    sync_output_add_number(alert->memory, "next_try", alert->now + wait - 5);
}

static void meet_trouble(const sync_alert_t *alert, const cm_error_t *err)
{
    const char *kind = kind_of(err), *event = NULL, *shown;
    int away = !strcmp(kind, "AWAY");
    apr_int64_t runs, told;

    if (strcmp(kind, trouble_of(alert)) != 0)
        begin_trouble(alert, kind);
    runs = sync_memory_number(alert->memory, "runs") + 1;
    told = sync_memory_number(alert->memory, "told");
    sync_output_add_number(alert->memory, "runs", runs);
    sync_output_add_text(alert->memory, "reason",
                         cm_error_text(err, alert->pool));
    sync_output_add_text(alert->memory, "hint", err->hint);
    if (!told && (!away || runs >= SYNC_ALERT_PATIENCE))
        event = "trouble";
    else if (told && cm_clock_is_past(told, alert->now, REMIND - 1))
        event = "reminder";
    if (away)
        plan(alert, runs);
    if (!alert->client->options->run.cron) {
        tell(alert, err, NULL);
        return;
    }
    shown = damped(alert, kind, event);
    if (shown)
        tell(alert, err, shown);
    if (event)
        set_told(alert, kind);
}

/* Report WORDS about parked messages. New ones were printed one by one, so
 * their first report is only for the command. */
static void tell_parked(const sync_alert_t *alert, const char *event,
                        const char *words)
{
    int flapping = !strcmp(event, "flapping");

    if (flapping)
        words = apr_pstrcat(alert->pool, words,
                            ": that comes and goes, and is reported once a day "
                            "from now on",
                            NULL);
    else if (strcmp(event, "trouble") != 0)
        words = apr_psprintf(alert->pool, "%s still, since %s", words,
                             text_in(alert->memory, "since_text"));
    if (strcmp(event, "trouble") != 0)
        sync_output_warn(alert->client->output, alert->peer, "%s", words);
    notify(alert, flapping ? "trouble" : event, words);
}

static void meet_parked(const sync_alert_t *alert, const cm_session_t *session,
                        apr_int64_t parked)
{
    const cm_totals_t *totals = &session->totals;
    int fresh = totals->parked->nelts || totals->parked_there->nelts ||
                totals->withheld->nelts || totals->withheld_there->nelts;
    int cron = alert->client->options->run.cron;
    const char *words =
        apr_psprintf(alert->pool, "%s parked%s",
                     cm_number_of(parked, "message", alert->pool),
                     cm_session_withheld(session) ? " or withheld" : "");
    const char *event = NULL;
    apr_int64_t told;

    if (strcmp(trouble_of(alert), PARKED) != 0) {
        if (!fresh)
            return;
        begin_trouble(alert, PARKED);
    }
    sync_output_add_text(alert->memory, "reason", words);
    told = sync_memory_number(alert->memory, "told");
    if (!told)
        event = "trouble";
    else if (cron && cm_clock_is_past(told, alert->now, REMIND - 1))
        event = "reminder";
    if (!event)
        return;
    set_told(alert, PARKED);
    if (cron)
        event = damped(alert, PARKED, event);
    if (event)
        tell_parked(alert, event, words);
}

static void remember(const sync_alert_t *alert, const cm_error_t *err,
                     const cm_session_t *session, apr_int64_t parked)
{
    json_object *memory = alert->memory;

    sync_output_add_number(memory, "last_run", alert->now);
    sync_output_add_number(memory, "exit_status",
                           err ? cm_error_code_exit_status(err->code) : 0);
    sync_output_add_number(memory, "parked", parked);
    if (!err)
        sync_output_add_number(memory, "last_success", alert->now);
    if (session) {
        sync_output_add_number(memory, "pushed", session->totals.pushed);
        sync_output_add_number(memory, "pulled", session->totals.pulled);
    }
}

/* Return whether there is nothing to report, to keep or to forget. */
static int is_idle(const sync_alert_t *alert)
{
    return !*trouble_of(alert) &&
           !json_object_object_get(alert->memory, "flaps") &&
           !json_object_object_get(alert->memory, "untold");
}

void sync_alert_close(sync_alert_t *alert, const cm_error_t *err,
                      const cm_session_t *session, apr_int64_t parked)
{
    const sync_client_t *client = alert->client;
    int was_parked = !strcmp(trouble_of(alert), PARKED);

    if (!alert->peer && !err && is_idle(alert))
        return;
    notify_again(alert);
    if (err) {
        meet_trouble(alert, err);
    }
    else {
        if (*trouble_of(alert) && !(was_parked && parked))
            meet_end(alert, session);
        if (session && parked)
            meet_parked(alert, session, parked);
        meet_calm(alert, session);
    }
    remember(alert, err, session, parked);
    err = sync_memory_write(client, alert->name, alert->memory);
    if (err && (client->options->run.cron || client->output->verbose))
        sync_output_error(client->output, NULL, err, alert->pool);
}
