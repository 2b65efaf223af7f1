/* What a person sees: see output.h. */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#define PROGRAM     "communicator-sync"
#define BAR         30
#define PAUSE_BAR   apr_time_from_msec(300)
#define PAUSE_LINE  apr_time_from_sec(10)
#define COLUMNS_MAX 16

cm_output_t *cm_output_create(int quiet, int verbose, int json,
                              apr_pool_t *pool)
{
    cm_output_t *output = apr_pcalloc(pool, sizeof(*output));
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    int plain =
        (no_colour && *no_colour) || (term && strcmp(term, "dumb") == 0);

    output->quiet = quiet;
    output->verbose = verbose;
    output->json = json;
    output->terminal = isatty(STDOUT_FILENO);
    output->colour = output->terminal && !plain;
    output->colour_err = isatty(STDERR_FILENO) && !plain;
    output->progress = isatty(STDERR_FILENO) && !quiet && !json;
    return output;
}

const char *cm_output_clean(const char *text, apr_pool_t *pool)
{
    char *copy = apr_pstrdup(pool, text), *c;

    for (c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return copy;
}

void cm_output_line(const cm_output_t *output, const char *format, ...)
{
    va_list args;

    if (output->quiet)
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

void cm_output_summary(const cm_output_t *output, const char *format, ...)
{
    va_list args;

    if (output->quiet || output->json ||
        (!output->terminal && !output->verbose))
        return;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
}

static void print_prefix(const cm_output_t *output, const char *peer)
{
    fflush(stdout);
    if (output->progress && output->what && output->drawn)
        fprintf(stderr, "\r\033[K");
    fprintf(stderr, PROGRAM ": ");
    if (peer)
        fprintf(stderr, "%s: ", peer);
}

void cm_output_warn(const cm_output_t *output, const char *peer,
                    const char *format, ...)
{
    va_list args;

    print_prefix(output, peer);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void print_json_error(const char *peer, const cm_error_t *err,
                             const char *text)
{
    json_object *json = json_object_new_object();

    if (peer)
        json_object_object_add(json, "peer", json_object_new_string(peer));
    json_object_object_add(json, "error", json_object_new_string(text));
    json_object_object_add(json, "code",
                           json_object_new_string(cm_code_name(err->code)));
    json_object_object_add(json, "exit_status",
                           json_object_new_int(cm_code_exit_status(err->code)));
    if (err->hint)
        json_object_object_add(json, "hint", json_object_new_string(err->hint));
    fprintf(stderr, "%s\n",
            json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
    json_object_put(json);
}

void cm_output_error(const cm_output_t *output, const char *peer,
                     const cm_error_t *err, apr_pool_t *pool)
{
    const char *text = cm_output_clean(cm_error_text(err, pool), pool);
    const char *on = output->colour_err ? "\033[31m" : "";
    const char *off = output->colour_err ? "\033[0m" : "";

    if (output->json) {
        print_json_error(peer, err, text);
        return;
    }
    print_prefix(output, peer);
    fprintf(stderr, "%s%s%s\n", on, text, off);
    if (err->hint)
        fprintf(stderr, "hint: %s\n", cm_output_clean(err->hint, pool));
}

void cm_output_verdict(const cm_output_t *output, cm_verdict_e verdict,
                       const char *what, const char *remedy)
{
    static const char *const words[] = {"ok", "warning", "FAIL"};
    static const char *const colours[] = {"\033[32m", "\033[33m", "\033[31m"};
    const char *on = output->colour ? colours[verdict] : "";
    const char *off = output->colour ? "\033[0m" : "";

    if (output->quiet && verdict == CM_VERDICT_OK)
        return;
    printf("%s%-7s%s  %s\n", on, words[verdict], off, what);
    if (remedy)
        printf("         hint: %s\n", remedy);
}

/* Characters, not bytes: what follows the first byte of UTF-8 has no width,
 * nor have colours. */
static int width_of(const char *text)
{
    int width = 0;

    for (; *text; text++) {
        if (*text == '\033')
            text += strcspn(text, "m");
        else
            width += (*text & 0xc0) != 0x80;
    }
    return width;
}

void cm_output_table(const cm_output_t *output, const apr_array_header_t *cells,
                     int columns)
{
    int widths[COLUMNS_MAX] = {0};
    int i, last;
    const char *text;

    if (output->quiet)
        return;
    for (i = 0; i < cells->nelts; i++) {
        int width = width_of(APR_ARRAY_IDX(cells, i, const char *));

        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (i = 0; i < cells->nelts; i++) {
        text = APR_ARRAY_IDX(cells, i, const char *);
        last = (i + 1) % columns == 0;
        printf("%s%s%s", i < columns && output->colour ? "\033[1m" : "", text,
               i < columns && output->colour ? "\033[0m" : "");
        printf("%*s", last ? 0 : widths[i % columns] - width_of(text) + 2, "");
        if (last)
            putchar('\n');
    }
}

void cm_output_json(const cm_output_t *output, struct json_object *json)
{
    (void)output;
    puts(json_object_to_json_string_ext(json, JSON_C_TO_STRING_PLAIN));
    json_object_put(json);
}

/* Write NUMBER with its thousands apart into TEXT. */
static void group(char *text, size_t room, apr_int64_t number)
{
    char digits[24];
    int size, i;
    size_t out = 0;

    size = apr_snprintf(digits, sizeof(digits), "%" APR_INT64_T_FMT, number);
    for (i = 0; i < size && out + 2 < room; i++) {
        if (i > 0 && digits[i - 1] != '-' && (size - i) % 3 == 0)
            text[out++] = ',';
        text[out++] = digits[i];
    }
    text[out] = '\0';
}

const char *cm_output_number(apr_int64_t number, apr_pool_t *pool)
{
    char text[40];

    group(text, sizeof(text), number);
    return apr_pstrdup(pool, text);
}

const char *cm_output_messages(apr_int64_t number, apr_pool_t *pool)
{
    return apr_pstrcat(pool, cm_output_number(number, pool),
                       number == 1 ? " message" : " messages", NULL);
}

/* "2,300/s, 38 s left"; nothing while nobody can know. */
static void print_rate(const cm_output_t *output, FILE *file, apr_int64_t done,
                       apr_int64_t total)
{
    double seconds = (double)(apr_time_now() - output->began) / 1e6;
    double rate = seconds > 0 ? (double)(done - output->first) / seconds : 0;
    apr_int64_t left;
    char text[40];

    if (rate <= 0)
        return;
    group(text, sizeof(text), (apr_int64_t)(rate + 0.5));
    left = (apr_int64_t)((double)(total - done) / rate) + 1;
    fprintf(file, ", %s/s, ", text);
    if (left < 120)
        fprintf(file, "%d s left", (int)left);
    else if (left < 7200)
        fprintf(file, "%d min left", (int)(left / 60));
    else
        fprintf(file, "%d h left", (int)(left / 3600));
}

static void print_state(const cm_output_t *output, FILE *file, apr_int64_t done,
                        apr_int64_t total)
{
    char number[40], of[40];

    group(number, sizeof(number), done);
    group(of, sizeof(of), total);
    fprintf(file, "%s of %s", number, of);
    print_rate(output, file, done, total);
}

static void draw(const cm_output_t *output, apr_int64_t done, apr_int64_t total)
{
    int filled = (int)(done * BAR / total), i;

    fprintf(stderr, "\r\033[K%s [", output->what);
    for (i = 0; i < BAR; i++)
        fputc(i < filled ? '#' : '.', stderr);
    fprintf(stderr, "] ");
    print_state(output, stderr, done, total);
    fflush(stderr);
}

static void wipe(cm_output_t *output)
{
    if (output->what && output->drawn && output->progress)
        fprintf(stderr, "\r\033[K");
    output->what = NULL;
}

void cm_output_progress(cm_output_t *output, const char *what, apr_int64_t done,
                        apr_int64_t total)
{
    apr_time_t now = apr_time_now();
    apr_time_t pause = output->progress ? PAUSE_BAR : PAUSE_LINE;

    if (done >= total || (output->what && strcmp(output->what, what) != 0))
        wipe(output);
    if (done >= total || (!output->progress && !output->verbose))
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
    if (output->progress) {
        draw(output, done, total);
        return;
    }
    printf("%s: ", what);
    print_state(output, stdout, done, total);
    putchar('\n');
    fflush(stdout);
}

const char *cm_output_paint(const cm_output_t *output, char colour,
                            const char *text, apr_pool_t *pool)
{
    const char *code = colour == 'r'   ? "31"
                       : colour == 'y' ? "33"
                       : colour == 'g' ? "32"
                                       : "2";

    if (!output->colour)
        return text;
    return apr_pstrcat(pool, "\033[", code, "m", text, "\033[0m", NULL);
}

const char *cm_output_ago(apr_int64_t clock, apr_pool_t *pool)
{
    static const struct {
        const char *unit;
        apr_int64_t seconds;
    } units[] = {{"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
    apr_int64_t age = apr_time_sec(apr_time_now() - clock);
    size_t i;

    if (clock == 0)
        return "never";
    for (i = 0; i < sizeof(units) / sizeof(*units); i++)
        if (age >= units[i].seconds)
            return apr_psprintf(pool, "%" APR_INT64_T_FMT " %s",
                                age / units[i].seconds, units[i].unit);
    return "now";
}

const char *cm_output_paused(const char *name, apr_int64_t at, apr_pool_t *pool)
{
    const char *ago = cm_output_ago(at, pool);

    if (strcmp(ago, "now") == 0)
        return apr_pstrcat(pool, name, " is paused", NULL);
    return apr_pstrcat(pool, name, " is paused for ", ago, NULL);
}
