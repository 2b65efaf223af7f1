/* Saying a trouble once: see alert.h. */
#include "alert.h"

#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "memory.h"
#include "notify.h"

#define RUNS_TO_WAIT 3         /* of what passes by itself */
#define REMIND       86400     /* seconds */
#define PATIENT_RUNS 5         /* tried at every run so often */
#define LONGEST      (15 * 60) /* seconds between two tries */
#define PARKED       "PARKED"

struct cm_alert_t {
    const cm_client_t *client;
    const char *peer;
    json_object *memory;
    apr_time_t now;
    apr_pool_t *pool;
};

static apr_int64_t number(const cm_alert_t *alert, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(alert->memory, name, &value)
               ? json_object_get_int64(value)
               : 0;
}

static const char *text(const cm_alert_t *alert, const char *name)
{
    json_object *value;

    return json_object_object_get_ex(alert->memory, name, &value) && value
               ? json_object_get_string(value)
               : "";
}

static void set_number(cm_alert_t *alert, const char *name, apr_int64_t value)
{
    json_object_object_add(alert->memory, name, json_object_new_int64(value));
}

static void set_text(cm_alert_t *alert, const char *name, const char *value)
{
    json_object_object_add(alert->memory, name,
                           value ? json_object_new_string(value) : NULL);
}

cm_alert_t *cm_alert_open(const cm_client_t *client, const char *peer,
                          apr_pool_t *pool)
{
    cm_alert_t *alert = apr_pcalloc(pool, sizeof(*alert));

    alert->client = client;
    alert->peer = peer;
    alert->pool = pool;
    alert->now = apr_time_now();
    alert->memory = cm_memory_read(client->settings->state_directory,
                                   *peer ? peer : client->settings->name, pool);
    return alert;
}

int cm_alert_is_too_soon(int *status, const cm_alert_t *alert)
{
    apr_int64_t next = number(alert, "next_try");

    if (!alert->client->options->cron || !next ||
        apr_time_sec(alert->now) >= next ||
        next > apr_time_sec(alert->now) + LONGEST)
        return 0;
    *status = (int)number(alert, "exit_status");
    return 1;
}

int cm_alert_tells_parked(const cm_alert_t *alert)
{
    return !alert->client->options->cron || !number(alert, "told") ||
           strcmp(text(alert, "trouble"), PARKED) != 0;
}

/* Faces of one outage are one trouble: no route now, 503 then. */
static const char *kind_of(const cm_error_t *err)
{
    return cm_code_is_transient(err->code) && err->code != CM_PAUSED
               ? "AWAY"
               : cm_code_name(err->code);
}

static void notify(const cm_alert_t *alert, const char *event,
                   const char *words)
{
    const char *command = alert->client->settings->notify_command;
    cm_error_t *err;

    if (!command)
        return;
    err = cm_notify(command, event,
                    *alert->peer ? alert->peer : alert->client->settings->name,
                    words, alert->pool);
    if (err)
        cm_output_error(alert->client->output, NULL, err, alert->pool);
}

/* Print the error of this run; the hook hears it when it is news. */
static void tell(cm_alert_t *alert, const cm_error_t *err, const char *event)
{
    const char *words = cm_error_text(err, alert->pool);

    if (event && !strcmp(event, "reminder"))
        err = cm_error_make(alert->pool, err->code, err, __FILE__, __LINE__,
                            "still, since %s", text(alert, "since_text"));
    cm_output_error(alert->client->output, *alert->peer ? alert->peer : NULL,
                    err, alert->pool);
    if (event)
        notify(alert, event,
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

static void begin_trouble(cm_alert_t *alert, const char *kind)
{
    char date[APR_RFC822_DATE_LEN];

    /* Of one that was told and took another face the beginning stays. */
    if (!*text(alert, "trouble")) {
        apr_rfc822_date(date, alert->now);
        set_number(alert, "since", apr_time_sec(alert->now));
        set_text(alert, "since_text", date);
    }
    set_text(alert, "trouble", kind);
    set_number(alert, "runs", 0);
    set_number(alert, "told", 0);
}

static void end_trouble(cm_alert_t *alert)
{
    static const char *const names[] = {"trouble",    "reason",  "since",
                                        "since_text", "runs",    "told",
                                        "next_try",   "was_told"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(*names); i++)
        json_object_object_del(alert->memory, names[i]);
}

/* The one line that lets a person sleep again. */
static void tell_recovery(cm_alert_t *alert, const cm_session_t *session)
{
    const cm_output_t *output = alert->client->output;
    apr_int64_t moved =
        session ? session->totals.pushed + session->totals.pulled : 0;
    const char *words = apr_psprintf(
        alert->pool, "recovered after %s%s: %s",
        duration(apr_time_sec(alert->now) - number(alert, "since"),
                 alert->pool),
        moved ? apr_psprintf(alert->pool, ", %s delivered",
                             cm_output_messages(moved, alert->pool))
              : "",
        text(alert, "reason"));

    if (!alert->client->options->cron || !number(alert, "was_told"))
        return;
    cm_output_warn(output, *alert->peer ? alert->peer : NULL, "%s", words);
    notify(alert, "recovered", words);
}

/* Try less often what stays away: 1, 2, 4, 8 minutes, at most 15. */
static void plan(cm_alert_t *alert, apr_int64_t runs)
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

static void meet_trouble(cm_alert_t *alert, const cm_error_t *err)
{
    const char *kind = kind_of(err);
    apr_int64_t now = apr_time_sec(alert->now), runs, told;
    int patient = !strcmp(kind, "AWAY");
    const char *event = NULL;

    if (strcmp(kind, text(alert, "trouble")) != 0)
        begin_trouble(alert, kind);
    runs = number(alert, "runs") + 1;
    told = number(alert, "told");
    set_number(alert, "runs", runs);
    set_text(alert, "reason", cm_error_text(err, alert->pool));
    if (!told && (!patient || runs >= RUNS_TO_WAIT))
        event = "trouble";
    else if (told && now - told >= REMIND)
        event = "reminder";
    if (patient)
        plan(alert, runs);
    if (alert->client->options->cron ? event != NULL : 1)
        tell(alert, err, alert->client->options->cron ? event : NULL);
    if (event && alert->client->options->cron) {
        set_number(alert, "told", now);
        set_number(alert, "was_told", 1);
    }
}

/* What is parked has been told, message by message. */
static void meet_parked(cm_alert_t *alert, const cm_session_t *session,
                        apr_int64_t parked)
{
    apr_int64_t now = apr_time_sec(alert->now), told;
    int fresh = session->totals.parked->nelts > 0 ||
                session->totals.parked_there->nelts > 0;
    const char *words = apr_psprintf(alert->pool, "%s parked",
                                     cm_output_messages(parked, alert->pool));

    if (strcmp(text(alert, "trouble"), PARKED) != 0) {
        if (!fresh)
            return;
        begin_trouble(alert, PARKED);
    }
    set_text(alert, "reason", words);
    told = number(alert, "told");
    if (!told)
        notify(alert, "trouble", words);
    else if (alert->client->options->cron && now - told >= REMIND) {
        words = apr_psprintf(alert->pool, "%s still, since %s", words,
                             text(alert, "since_text"));
        cm_output_warn(alert->client->output, alert->peer, "%s", words);
        notify(alert, "reminder", words);
    }
    else
        return;
    set_number(alert, "told", now);
    set_number(alert, "was_told", 1);
}

static void remember(cm_alert_t *alert, const cm_error_t *err,
                     const cm_session_t *session, apr_int64_t parked)
{
    apr_int64_t now = apr_time_sec(alert->now);

    set_number(alert, "last_run", now);
    set_number(alert, "exit_status", err ? cm_code_exit_status(err->code) : 0);
    set_number(alert, "parked", parked);
    if (!err)
        set_number(alert, "last_success", now);
    if (session) {
        set_number(alert, "pushed", session->totals.pushed);
        set_number(alert, "pulled", session->totals.pulled);
    }
}

void cm_alert_close(cm_alert_t *alert, const cm_error_t *err,
                    const cm_session_t *session, apr_int64_t parked)
{
    const cm_settings_t *settings = alert->client->settings;
    int was_parked = !strcmp(text(alert, "trouble"), PARKED);

    if (!*alert->peer && !err && !*text(alert, "trouble"))
        return;
    if (err) {
        meet_trouble(alert, err);
    }
    else {
        if (*text(alert, "trouble") && !(was_parked && parked)) {
            tell_recovery(alert, session);
            end_trouble(alert);
        }
        if (session && parked)
            meet_parked(alert, session, parked);
    }
    remember(alert, err, session, parked);
    err = cm_memory_write(settings->state_directory,
                          *alert->peer ? alert->peer : settings->name,
                          alert->memory, alert->pool);
    if (err && (alert->client->options->cron || alert->client->output->verbose))
        cm_output_error(alert->client->output, NULL, err, alert->pool);
}
