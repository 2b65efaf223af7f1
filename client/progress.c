/* How far long work has come: see output.h. */
#include "output.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/number.h"
#include "operate/health.h"

#define BAR        30 /* characters, where there is room */
#define LEAST_BAR  5
#define WIDTH      80 /* of a terminal that does not report it */
#define PAUSE_BAR  apr_time_from_msec(300)
#define PAUSE_LINE apr_time_from_sec(10)

static int terminal_width(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return WIDTH;
    return size.ws_col;
}

/* Return "1,200 of 5,000, 2,300/s, 38 s left", without rate and time while they
 * are not known. */
static const char *state_of(const sync_output_t *output, apr_int64_t done,
                            apr_int64_t total, apr_pool_t *pool)
{
    double seconds = (double)(apr_time_now() - output->began) / 1e6;
    double rate = seconds > 0 ? (double)(done - output->first) / seconds : 0;
    const char *text = apr_pstrcat(pool, cm_number_grouped(done, pool), " of ",
                                   cm_number_grouped(total, pool), NULL);

    if (rate <= 0)
        return text;
    return apr_psprintf(
        pool, "%s, %s/s, %s left", text,
        cm_number_grouped((apr_int64_t)(rate + 0.5), pool),
        cm_health_judge_span(
            (apr_interval_time_t)(((double)(total - done) / rate + 1) * 1e6),
            pool));
}

/* Draw a bar that leaves a column free: wiping removes only one line, and a
 * full line may wrap. */
static void draw(const sync_output_t *output, apr_int64_t done,
                 apr_int64_t total, const char *state)
{
    int room = terminal_width() - 1 - (int)strlen(output->what) -
               (int)strlen(" [] ") - (int)strlen(state);
    int bar = room < BAR ? room : BAR, filled, i;

    fprintf(stderr, SYNC_PROGRESS_WIPE "%s ", output->what);
    if (bar >= LEAST_BAR) {
        filled = (int)(done * bar / total);
        fputc('[', stderr);
        for (i = 0; i < bar; i++)
            fputc(i < filled ? '#' : '.', stderr);
        fputs("] ", stderr);
    }
    fputs(state, stderr);
    fflush(stderr);
}

static void show(const sync_output_t *output, apr_int64_t done,
                 apr_int64_t total)
{
    apr_pool_t *pool;
    const char *state;

    apr_pool_create(&pool, NULL);
    state = state_of(output, done, total, pool);
    if (output->progress)
        draw(output, done, total, state);
    else {
        printf("%s: %s\n", output->what, state);
        fflush(stdout);
    }
    apr_pool_destroy(pool);
}

void sync_progress_end(sync_output_t *output)
{
    if (output->what && output->drawn && output->progress)
        fputs(SYNC_PROGRESS_WIPE, stderr);
    output->what = NULL;
}

void sync_progress_show(void *baton, const char *what, apr_int64_t done,
                        apr_int64_t total)
{
    sync_output_t *output = baton;
    apr_time_t now = apr_time_now();
    apr_time_t pause = output->progress ? PAUSE_BAR : PAUSE_LINE;

    if (done >= total || (output->what && strcmp(output->what, what) != 0))
        sync_progress_end(output);
    if (done >= total || output->json ||
        (!output->progress && !output->verbose))
        return;
    if (!output->what) {
        output->what = what;
        output->began = now;
        output->drawn = 0;
        output->first = done;
    }
    if (now - (output->drawn ? output->drawn : output->began) < pause)
        return;
    output->drawn = now;
    show(output, done, total);
}
