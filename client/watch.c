/* A live view: see watch.h. */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <apr_strings.h>

#include "base/clock.h"
#include "stop.h"

/* Another screen without a cursor; back to the first one. */
#define SCREEN_ENTER "\033[?1049h\033[?25l"
#define SCREEN_LEAVE "\033[?25h\033[?1049l"

/* From the top; to the end of the line, of the screen. */
#define SCREEN_HOME "\033[H"
#define LINE_END    "\033[0m\033[K"
#define SCREEN_END  "\033[J"

typedef struct watch_t {
    apr_interval_time_t every;
    int on_screen;         /* it has the screen of a terminal */
    int keys;              /* keys can be read */
    struct termios before; /* if so: how the terminal was */
} watch_t;

/* Let keys come one by one and unseen. Ctrl-Z is off: it would leave the screen
 * to the shell as it is. */
static void open_screen(watch_t *watch)
{
    struct termios raw;

    if (!watch->on_screen)
        return;
    fputs(SCREEN_ENTER, stdout);
    fflush(stdout);
    watch->keys = tcgetattr(STDIN_FILENO, &watch->before) == 0;
    if (!watch->keys)
        return;
    raw = watch->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VSUSP] = _POSIX_VDISABLE;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
}

static void close_screen(const watch_t *watch)
{
    if (watch->keys)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &watch->before);
    if (watch->on_screen)
        fputs(SCREEN_LEAVE, stdout);
    fflush(stdout);
}

/* Print the LINE of SIZE bytes, up to COLUMNS characters of it. Colours take no
 * room, nor do the later bytes of a character of UTF-8. */
static void put_line(const char *line, size_t size, int columns)
{
    size_t i, escape;
    int width = 0;

    for (i = 0; i < size; i++) {
        if (line[i] == '\033') {
            escape = strcspn(line + i, "m");
            fwrite(line + i, 1, escape + 1, stdout);
            i += escape;
            continue;
        }
        width += (line[i] & 0xc0) != 0x80;
        if (width > columns)
            break;
        putchar(line[i]);
    }
    fputs(LINE_END, stdout);
}

/* Print TEXT in place of what is on the screen, and FOOT on its last line. */
static void put_screen(const char *text, const char *foot)
{
    struct winsize window = {.ws_row = 0};
    int rows = 24, columns = 80;
    size_t size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) == 0 && window.ws_row > 1 &&
        window.ws_col) {
        rows = window.ws_row;
        columns = window.ws_col;
    }
    fputs(SCREEN_HOME, stdout);
    for (; *text && rows > 1; rows--) {
        size = strcspn(text, "\n");
        put_line(text, size, columns);
        putchar('\n');
        text += size + (text[size] == '\n');
    }
    fputs(SCREEN_END, stdout);
    put_line(foot, strlen(foot), columns);
}

/* Return what stands below the view: when that was, and how it ends. */
static const char *foot_of(apr_interval_time_t every, apr_pool_t *pool)
{
    return apr_psprintf(pool,
                        every % APR_USEC_PER_SEC
                            ? "%.19s UTC, every %.1f s; q ends"
                            : "%.19s UTC, every %.0f s; q ends",
                        sync_output_moment(cm_clock_now(), pool),
                        (double)every / APR_USEC_PER_SEC);
}

/* Draw into memory first: so what is printed can be cut to the screen. */
static void draw_screen(const watch_t *watch, sync_client_t *view,
                        sync_watch_draw_t draw, void *baton)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);

    if (!file)
        return;
    view->output->file = file;
    draw(view, baton);
    fclose(file);
    put_screen(text, foot_of(watch->every, view->pool));
    free(text);
}

static void draw_block(sync_client_t *view, sync_watch_draw_t draw, void *baton)
{
    sync_output_line(view->output, "%.19s UTC",
                     sync_output_moment(cm_clock_now(), view->pool));
    draw(view, baton);
    sync_output_line(view->output, "%s", "");
}

/* Wait for the next view; return whether a key ends it all. */
static int wait_for_key(watch_t *watch)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const apr_time_t until = apr_time_now() + watch->every;
    apr_time_t now;
    char key;

    while ((now = apr_time_now()) < until) {
        int ready = poll(&input, watch->keys ? 1 : 0,
                         (int)apr_time_as_msec(until - now) + 1);

        if (ready < 0)
            return errno != EINTR;
        if (ready == 0)
            return 0;
        if (read(STDIN_FILENO, &key, 1) != 1)
            watch->keys = 0;
        else if (key == 'q' || key == 'Q')
            return 1;
    }
    return 0;
}

void sync_watch(sync_client_t *client, apr_interval_time_t every,
                sync_watch_draw_t draw, void *baton)
{
    sync_output_t output = *client->output;
    sync_client_t view = *client;
    watch_t watch = {.every = every,
                     .on_screen = output.terminal && !output.json};
    int done = 0;

    view.output = &output;
    apr_pool_create(&view.pool, client->pool);
    open_screen(&watch);
    while (!done && !sync_stop_check(view.pool)) {
        apr_pool_clear(view.pool);
        if (watch.on_screen)
            draw_screen(&watch, &view, draw, baton);
        else
            draw_block(&view, draw, baton);
        done = fflush(stdout) != 0 || sync_stop_check(view.pool) ||
               wait_for_key(&watch);
    }
    close_screen(&watch);
    apr_pool_destroy(view.pool);
}
