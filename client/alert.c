/* Reporting a problem once: see alert.h. */
#include "alert.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "memory.h"
#include "notify.h"
#include "base/error.h"
#include "config/settings.h"
#include "record/clocks.h"

#define RUNS_TO_WAIT 3         /* of what passes by itself */
#define REMIND       86400     /* seconds */
#define PATIENT_RUNS 5         /* tried at every run so often */
#define LONGEST      (15 * 60) /* seconds between two tries */
#define PARKED       "PARKED"
#define EPISODES     3          /* within REMIND: it comes and goes */
#define CALM         (6 * 3600) /* seconds without it: that is over */

struct sync_alert_t {
    const sync_client_t *client;
    const char *peer; /* "": none */
    const char *name; /* of the member that is remembered */
    int quiet;        /* CommunicatorNotifyCommand does not hear of it */
    json_object *memory;
    apr_time_t now;
    apr_pool_t *pool;
};

static apr_int64_t number(const sync_alert_t *alert, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(alert->memory, name, &value)
               ? json_object_get_int64(value)
               : 0;
}

static const char *text(const sync_alert_t *alert, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(alert->memory, name, &value) && value
               ? json_object_get_string(value)
               : "";
}

static void set_number(sync_alert_t *alert, const char *name, apr_int64_t value)
{
    json_object_object_add(alert->memory, name, json_object_new_int64(value));
}

static void set_text(sync_alert_t *alert, const char *name, const char *value)
{
    json_object_object_add(alert->memory, name,
                           value ? json_object_new_string(value) : NULL);
}

static sync_alert_t *open_alert(const sync_client_t *client, const char *peer,
                                const char *name, apr_pool_t *pool)
{
    sync_alert_t *alert = apr_pcalloc(pool, sizeof(*alert));

    alert->client = client;
    alert->peer = peer;
    alert->name = name;
    alert->pool = pool;
    alert->now = apr_time_now();
    alert->memory =
        sync_memory_read(client->settings->state_directory, name, pool);
    return alert;
}

sync_alert_t *sync_alert_open(const sync_client_t *client, const char *peer,
                              apr_pool_t *pool)
{
    return open_alert(client, peer, *peer ? peer : client->settings->name,
                      pool);
}

sync_alert_t *sync_alert_open_about(const sync_client_t *client,
                                    const char *what, apr_pool_t *pool)
{
    sync_alert_t *alert = open_alert(client, "", what, pool);

    alert->quiet = !strcmp(what, CM_ALERT_NOTIFY);
    return alert;
}

int sync_alert_is_too_soon(int *status, const sync_alert_t *alert)
{
    apr_int64_t next = number(alert, "next_try");

    if (!alert->client->options->cron || !next ||
        apr_time_sec(alert->now) >= next ||
        next > apr_time_sec(alert->now) + LONGEST)
        return 0;
    *status = (int)number(alert, "exit_status");
    return 1;
}

/* What is remembered of a kind of problem: how often it came within a day, and
 * whether it comes and goes. */
static json_object *flaps_of(const sync_alert_t *alert, const char *kind)
{
    json_object *all, *flaps;

    if (!json_object_object_get_ex(alert->memory, "flaps", &all)) {
        all = json_object_new_object();
        json_object_object_add(alert->memory, "flaps", all);
    }
    if (!json_object_object_get_ex(all, kind, &flaps)) {
        flaps = json_object_new_object();
        json_object_object_add(all, kind, flaps);
    }
    return flaps;
}

static apr_int64_t number_in(json_object *object, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(object, name, &value)
               ? json_object_get_int64(value)
               : 0;
}

static void set_in(json_object *object, const char *name, apr_int64_t value)
{
    json_object_object_add(object, name, json_object_new_int64(value));
}

int sync_alert_tells_parked(const sync_alert_t *alert)
{
    int known =
        number(alert, "told") && strcmp(text(alert, "trouble"), PARKED) == 0;

    return !alert->client->options->cron ||
           (!known && !number_in(flaps_of(alert, PARKED), "flapping"));
}

/* One outage has several errors (no route, then 503): they are one problem. */
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
    const sync_client_t *client = alert->client;
    const char *command = client->settings->notify_command;
    sync_alert_t *about;
    cm_error_t *err;

    json_object_object_del(alert->memory, "untold");
    if (!command || alert->quiet)
        return;
    err = sync_notify(command, event,
                      *alert->peer ? alert->peer : client->settings->name,
                      words, alert->pool);
    if (err) {
        json_object *untold = json_object_new_object();

        sync_output_add_text(untold, "event", event);
        sync_output_add_text(untold, "words", words);
        json_object_object_add(alert->memory, "untold", untold);
    }
    about = sync_alert_open_about(client, CM_ALERT_NOTIFY, alert->pool);
    sync_alert_close(about, err, NULL, 0);
}

/* Tell again what the command did not take. */
static void notify_again(const sync_alert_t *alert)
{
    json_object *untold, *event, *words;

    if (json_object_object_get_ex(alert->memory, "untold", &untold) &&
        json_object_object_get_ex(untold, "event", &event) &&
        json_object_object_get_ex(untold, "words", &words))
        notify(alert, apr_pstrdup(alert->pool, json_object_get_string(event)),
               apr_pstrdup(alert->pool, json_object_get_string(words)));
}

/* Since when it is, in words. */
static const char *date_of(apr_int64_t seconds, apr_pool_t *pool)
{
    char *date = apr_palloc(pool, APR_RFC822_DATE_LEN);

    apr_rfc822_date(date, apr_time_from_sec(seconds));
    return date;
}

/* Print the error of this run; the hook hears it when it is news. EVENT is
 * "flapping" for what comes and goes. */
static void tell(sync_alert_t *alert, const cm_error_t *err, const char *event)
{
    const char *words = cm_error_text(err, alert->pool);
    int flapping = event && !strcmp(event, "flapping");
    apr_int64_t since =
        flapping ? number_in(flaps_of(alert, kind_of(err)), "flapping") : 0;

    if (event && !strcmp(event, "reminder"))
        err = cm_error_make(alert->pool, err->code, err, __FILE__, __LINE__,
                            "still, since %s", text(alert, "since_text"));
    else if (flapping && since < apr_time_sec(alert->now))
        err = cm_error_make(alert->pool, err->code, err, __FILE__, __LINE__,
                            "it still comes and goes, since %s",
                            date_of(since, alert->pool));
    else if (flapping)
        err = cm_error_make(alert->pool, err->code, err, __FILE__, __LINE__,
                            "it comes and goes (%d times within a day), and is "
                            "reported once a day from now on",
                            EPISODES);
    sync_output_error(alert->client->output, *alert->peer ? alert->peer : NULL,
                      err, alert->pool);
    if (event)
        notify(alert,
               !flapping                          ? event
               : since < apr_time_sec(alert->now) ? "reminder"
                                                  : "trouble",
               apr_pstrcat(alert->pool, words, err->hint ? "\nhint: " : "",
                           err->hint ? err->hint : "", NULL));
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

/* When KIND was reported since this problem began; 0: not yet. */
static apr_int64_t told_of(const sync_alert_t *alert, const char *kind)
{
    json_object *kinds;

    return json_object_object_get_ex(alert->memory, "kinds", &kinds)
               ? number_in(kinds, kind)
               : 0;
}

static void set_told(sync_alert_t *alert, const char *kind)
{
    apr_int64_t now = apr_time_sec(alert->now);
    json_object *kinds;

    if (!json_object_object_get_ex(alert->memory, "kinds", &kinds)) {
        kinds = json_object_new_object();
        json_object_object_add(alert->memory, "kinds", kinds);
    }
    set_in(kinds, kind, now);
    set_number(alert, "told", now);
    set_number(alert, "was_told", 1);
}

static void begin_trouble(sync_alert_t *alert, const char *kind)
{
    /* A problem that was reported and now has another error keeps its
     * beginning. */
    if (!*text(alert, "trouble")) {
        set_number(alert, "since", apr_time_sec(alert->now));
        set_text(alert, "since_text",
                 date_of(apr_time_sec(alert->now), alert->pool));
    }
    set_text(alert, "trouble", kind);
    set_number(alert, "runs", 0);
    set_number(alert, "told", told_of(alert, kind));
}

static void end_trouble(sync_alert_t *alert)
{
    static const char *const names[] = {
        "trouble", "reason", "hint",     "since",    "since_text",
        "runs",    "told",   "next_try", "was_told", "kinds"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_object_del(alert->memory, names[i]);
}

/* Note that this kind of problem has come once more; return how often it did
 * within a day. */
static int count_episode(const sync_alert_t *alert, json_object *flaps)
{
    json_object *kept = json_object_new_array(), *list;
    apr_int64_t now = apr_time_sec(alert->now);
    size_t i, count = 0;

    if (json_object_object_get_ex(flaps, "episodes", &list) &&
        json_object_is_type(list, json_type_array))
        count = json_object_array_length(list);
    for (i = 0; i < count; i++) {
        apr_int64_t then =
            json_object_get_int64(json_object_array_get_idx(list, i));

        if (!cm_clocks_is_past(then, now, REMIND))
            json_object_array_add(kept, json_object_new_int64(then));
    }
    json_object_array_add(kept, json_object_new_int64(now));
    count = json_object_array_length(kept);
    json_object_object_add(flaps, "episodes", kept);
    return (int)count;
}

/* Return what to report of EVENT, or NULL: a problem that comes and goes is
 * reported as such, once, and then once a day. */
static const char *damped(const sync_alert_t *alert, const char *kind,
                          const char *event)
{
    json_object *flaps = flaps_of(alert, kind);
    apr_int64_t now = apr_time_sec(alert->now);

    json_object_object_del(flaps, "calm");
    if (!event || strcmp(event, "trouble") != 0)
        return event;
    if (!number_in(flaps, "flapping")) {
        if (count_episode(alert, flaps) < EPISODES)
            return event;
        set_in(flaps, "flapping", now);
    }
    else if (!cm_clocks_is_past(number_in(flaps, "flapping_told"), now, REMIND))
        return NULL;
    set_in(flaps, "flapping_told", now);
    return "flapping";
}

/* The one line that lets a person sleep again: REASON was, since SINCE. */
static void tell_recovery(sync_alert_t *alert, const cm_session_t *session,
                          apr_int64_t since, const char *reason)
{
    const sync_output_t *output = alert->client->output;
    apr_int64_t moved =
        session ? session->totals.pushed + session->totals.pulled : 0;
    const char *words = apr_psprintf(
        alert->pool, "recovered after %s%s: %s",
        duration(apr_time_sec(alert->now) - since, alert->pool),
        moved ? apr_psprintf(alert->pool, ", %s delivered",
                             sync_output_messages(moved, alert->pool))
              : "",
        reason);

    if (!alert->client->options->cron)
        return;
    sync_output_warn(output, *alert->peer ? alert->peer : NULL, "%s", words);
    notify(alert, "recovered", words);
}

/* The problem is over for now. That is not reported if it comes and goes. */
static void meet_end(sync_alert_t *alert, const cm_session_t *session)
{
    int tells = number(alert, "was_told") != 0, flapping = 0;
    json_object *kinds;

    if (json_object_object_get_ex(alert->memory, "kinds", &kinds)) {
        json_object_object_foreach(kinds, kind, told)
        {
            json_object *flaps = flaps_of(alert, kind);

            (void)told;
            if (!number_in(flaps, "flapping"))
                continue;
            flapping = 1;
            set_in(flaps, "calm", apr_time_sec(alert->now));
            sync_output_add_text(flaps, "reason", text(alert, "reason"));
        }
    }
    if (tells && !flapping)
        tell_recovery(alert, session, number(alert, "since"),
                      text(alert, "reason"));
    end_trouble(alert);
}

/* What came and went has stayed away for some hours: that is the end. */
static void meet_calm(sync_alert_t *alert, const cm_session_t *session)
{
    json_object *all, *reason;

    if (!json_object_object_get_ex(alert->memory, "flaps", &all))
        return;
    json_object_object_foreach(all, kind, flaps)
    {
        apr_int64_t calm = number_in(flaps, "calm");

        (void)kind;
        if (!calm || apr_time_sec(alert->now) - calm < CALM)
            continue;
        json_object_object_get_ex(flaps, "reason", &reason);
        tell_recovery(alert, session, number_in(flaps, "flapping"),
                      apr_pstrdup(alert->pool, json_object_get_string(reason)));
        json_object_object_del(flaps, "calm");
        json_object_object_del(flaps, "flapping");
        json_object_object_del(flaps, "flapping_told");
        json_object_object_del(flaps, "episodes");
    }
}

/* Try less often what stays away: 1, 2, 4, 8 minutes, at most 15. */
static void plan(sync_alert_t *alert, apr_int64_t runs)
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
    set_number(alert, "next_try", apr_time_sec(alert->now) + wait - 5);
}

static void meet_trouble(sync_alert_t *alert, const cm_error_t *err)
{
    const char *kind = kind_of(err);
    apr_int64_t now = apr_time_sec(alert->now), runs, told;
    int patient = !strcmp(kind, "AWAY"), cron = alert->client->options->cron;
    const char *event = NULL, *shown;

    if (strcmp(kind, text(alert, "trouble")) != 0)
        begin_trouble(alert, kind);
    runs = number(alert, "runs") + 1;
    told = number(alert, "told");
    set_number(alert, "runs", runs);
    set_text(alert, "reason", cm_error_text(err, alert->pool));
    set_text(alert, "hint", err->hint);
    if (!told && (!patient || runs >= RUNS_TO_WAIT))
        event = "trouble";
    else if (told && cm_clocks_is_past(told, now, REMIND - 1))
        event = "reminder";
    if (patient)
        plan(alert, runs);
    if (!cron) {
        tell(alert, err, NULL);
        return;
    }
    shown = damped(alert, kind, event);
    if (shown)
        tell(alert, err, shown);
    if (event)
        set_told(alert, kind);
}

/* Parked messages have been reported one by one. */
static void meet_parked(sync_alert_t *alert, const cm_session_t *session,
                        apr_int64_t parked)
{
    apr_int64_t now = apr_time_sec(alert->now), told;
    int fresh = session->totals.parked->nelts > 0 ||
                session->totals.parked_there->nelts > 0 ||
                session->totals.withheld->nelts > 0 ||
                session->totals.withheld_there->nelts > 0;
    int cron = alert->client->options->cron;
    const char *words = apr_psprintf(
        alert->pool, "%s parked%s", sync_output_messages(parked, alert->pool),
        cm_session_withheld(session) ? " or withheld" : "");
    const char *event = NULL, *shown;

    if (strcmp(text(alert, "trouble"), PARKED) != 0) {
        if (!fresh)
            return;
        begin_trouble(alert, PARKED);
    }
    set_text(alert, "reason", words);
    told = number(alert, "told");
    if (!told)
        event = "trouble";
    else if (cron && cm_clocks_is_past(told, now, REMIND - 1))
        event = "reminder";
    if (!event)
        return;
    shown = cron ? damped(alert, PARKED, event) : event;
    set_told(alert, PARKED);
    if (!shown)
        return;
    if (strcmp(shown, "trouble") != 0) {
        words = !strcmp(shown, "flapping")
                    ? apr_pstrcat(alert->pool, words,
                                  ": that comes and goes, and is reported once "
                                  "a day from now on",
                                  NULL)
                    : apr_psprintf(alert->pool, "%s still, since %s", words,
                                   text(alert, "since_text"));
        sync_output_warn(alert->client->output, alert->peer, "%s", words);
    }
    notify(alert, !strcmp(shown, "flapping") ? "trouble" : shown, words);
}

static void remember(sync_alert_t *alert, const cm_error_t *err,
                     const cm_session_t *session, apr_int64_t parked)
{
    apr_int64_t now = apr_time_sec(alert->now);

    set_number(alert, "last_run", now);
    set_number(alert, "exit_status",
               err ? cm_error_code_exit_status(err->code) : 0);
    set_number(alert, "parked", parked);
    if (!err)
        set_number(alert, "last_success", now);
    if (session) {
        set_number(alert, "pushed", session->totals.pushed);
        set_number(alert, "pulled", session->totals.pulled);
    }
}

/* Return whether there is nothing to report, keep or forget. */
static int is_idle(const sync_alert_t *alert)
{
    json_object *value;

    return !*text(alert, "trouble") &&
           !json_object_object_get_ex(alert->memory, "flaps", &value) &&
           !json_object_object_get_ex(alert->memory, "untold", &value);
}

void sync_alert_close(sync_alert_t *alert, const cm_error_t *err,
                      const cm_session_t *session, apr_int64_t parked)
{
    const cm_settings_t *settings = alert->client->settings;
    int was_parked = !strcmp(text(alert, "trouble"), PARKED);

    if (!*alert->peer && !err && is_idle(alert))
        return;
    notify_again(alert);
    if (err) {
        meet_trouble(alert, err);
    }
    else {
        if (*text(alert, "trouble") && !(was_parked && parked))
            meet_end(alert, session);
        if (session && parked)
            meet_parked(alert, session, parked);
        meet_calm(alert, session);
    }
    remember(alert, err, session, parked);
    err = sync_memory_write(settings->state_directory, alert->name,
                            alert->memory, alert->pool);
    if (err && (alert->client->options->cron || alert->client->output->verbose))
        sync_output_error(alert->client->output, NULL, err, alert->pool);
}
