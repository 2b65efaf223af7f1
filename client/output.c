/* What a person sees: see output.h. */
#include "output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <apr_lib.h>
#include <apr_strings.h>
#include <apr_time.h>
#include <json.h>

#include "base/moment.h"
#include "operate/health.h"

#define PROGRAM     "communicator-sync"
#define COLUMNS_MAX 16
#define PLAIN       (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define WARNING_MAX 2048

sync_output_t *sync_output_create(int quiet, int verbose, int json,
                                  apr_pool_t *pool)
{
    sync_output_t *output = apr_pcalloc(pool, sizeof(*output));
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    int plain =
        (no_colour && *no_colour) || (term && strcmp(term, "dumb") == 0);

    apr_pool_create(&output->scratch, pool);
    output->quiet = quiet;
    output->verbose = verbose;
    output->json = json;
    output->file = stdout;
    output->terminal = isatty(STDOUT_FILENO);
    output->colour = output->terminal && !plain;
    output->colour_err = isatty(STDERR_FILENO) && !plain;
    output->progress = isatty(STDERR_FILENO) && !quiet && !json;
    return output;
}

/* sync_output_paint() puts this byte before the letter of a colour: UTF-8 never
 * contains it. */
#define MARK 0xff

/* Return the control sequence of the colour LETTER. */
static const char *colour_of(char letter)
{
    switch (letter) {
    case 'r':
        return "\033[31m";
    case 'y':
        return "\033[33m";
    case 'g':
        return "\033[32m";
    case 'd':
        return "\033[2m";
    case 'b':
        return "\033[1m";
    default:
        return "\033[0m";
    }
}

/* Return TEXT as it goes to a terminal: cleaned, whoever wrote it, and with the
 * colours of sync_output_paint() if COLOUR. */
static const char *shown(const sync_output_t *output, int colour,
                         const char *text)
{
    apr_pool_t *pool = output->scratch;
    const char *mark, *done = "";

    while ((mark = strchr(text, MARK)) && mark[1]) {
        done = apr_pstrcat(
            pool, done, cm_clean(apr_pstrmemdup(pool, text, mark - text), pool),
            colour ? colour_of(mark[1]) : "", NULL);
        text = mark + 2;
    }
    text = cm_clean(text, pool);
    return *done ? apr_pstrcat(pool, done, text, NULL) : text;
}

/* Print a line for people. Line feeds at the beginning of FORMAT stay. */
static void print_line(const sync_output_t *output, const char *format,
                       va_list args)
{
    if (output->quiet || output->json)
        return;
    for (; *format == '\n'; format++)
        putc('\n', output->file);
    fprintf(output->file, "%s\n",
            shown(output, output->colour,
                  apr_pvsprintf(output->scratch, format, args)));
    apr_pool_clear(output->scratch);
}

void sync_output_line(const sync_output_t *output, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    print_line(output, format, args);
    va_end(args);
}

void sync_output_summary(const sync_output_t *output, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (output->terminal || output->verbose)
        print_line(output, format, args);
    va_end(args);
}

static void print_prefix(const sync_output_t *output, const char *peer)
{
    fflush(stdout);
    if (output->progress && output->what && output->drawn)
        fputs(SYNC_PROGRESS_WIPE, stderr);
    fprintf(stderr, PROGRAM ": ");
    if (peer)
        fprintf(stderr, "%s: ", peer);
}

static void print_json(const sync_output_t *output, FILE *file,
                       json_object *json)
{
    fflush(stdout); /* keep the order of both streams */
    fprintf(file, "%s\n",
            cm_clean_json(json_object_to_json_string_ext(json, PLAIN),
                          output->scratch));
    apr_pool_clear(output->scratch);
    json_object_put(json);
}

void sync_output_warn(const sync_output_t *output, const char *peer,
                      const char *format, ...)
{
    char text[WARNING_MAX];
    json_object *json;
    va_list args;

    va_start(args, format);
    apr_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (!output->json) {
        print_prefix(output, peer);
        fprintf(stderr, "%s\n", shown(output, 0, text));
        apr_pool_clear(output->scratch);
        return;
    }
    json = json_object_new_object();
    if (peer)
        sync_output_add_text(json, "peer", peer);
    sync_output_add_text(json, "warning", text);
    print_json(output, stderr, json);
}

static void print_json_error(const sync_output_t *output, const char *peer,
                             const cm_error_t *err, const char *text)
{
    json_object *json = json_object_new_object();

    if (peer)
        sync_output_add_text(json, "peer", peer);
    sync_output_add_text(json, "error", text);
    sync_output_add_text(json, "code", cm_error_code_name(err->code));
    sync_output_add_number(json, "exit_status",
                           cm_error_code_exit_status(err->code));
    if (err->hint)
        sync_output_add_text(json, "hint", err->hint);
    print_json(output, stderr, json);
}

void sync_output_error(const sync_output_t *output, const char *peer,
                       const cm_error_t *err, apr_pool_t *pool)
{
    const char *text = cm_clean(cm_error_text(err, pool), pool);
    const char *on = output->colour_err ? colour_of('r') : "";
    const char *off = output->colour_err ? colour_of('0') : "";

    if (output->json) {
        print_json_error(output, peer, err, text);
        return;
    }
    print_prefix(output, peer);
    fprintf(stderr, "%s%s%s\n", on, text, off);
    if (err->hint)
        fprintf(stderr, "hint: %s\n", cm_clean(err->hint, pool));
}

void sync_output_verdict(const sync_output_t *output, sync_verdict_e verdict,
                         const char *what, const char *hint)
{
    static const char *const words[] = {"ok", "warning", "FAIL"};
    const char *on = output->colour ? colour_of("gyr"[verdict]) : "";
    const char *off = output->colour ? colour_of('0') : "";

    if (output->quiet && verdict == SYNC_VERDICT_OK)
        return;
    fprintf(output->file, "%s%-7s%s  %s\n", on, words[verdict], off,
            shown(output, output->colour, what));
    if (hint)
        fprintf(output->file, "         hint: %s\n",
                shown(output, output->colour, hint));
    apr_pool_clear(output->scratch);
}

/* Return the width of TEXT in characters: the bytes of a character of UTF-8
 * after its first one have no width, nor have colours. */
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

void sync_output_row(apr_array_header_t *cells, int columns,
                     const char *const *row)
{
    int i;

    for (i = 0; i < columns; i++)
        APR_ARRAY_PUSH(cells, const char *) = row[i];
}

void sync_output_table(const sync_output_t *output,
                       const apr_array_header_t *cells, int columns)
{
    const char **texts =
        apr_palloc(output->scratch, (cells->nelts + 1) * sizeof(*texts));
    int widths[COLUMNS_MAX] = {0};
    int i;

    if (output->quiet)
        return;
    for (i = 0; i < cells->nelts; i++) {
        int width;

        texts[i] = shown(output, output->colour,
                         APR_ARRAY_IDX(cells, i, const char *));
        width = width_of(texts[i]);
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
    for (i = 0; i < cells->nelts; i++) {
        int bold = i < columns && output->colour;
        int room = widths[i % columns] - width_of(texts[i]) + 2;

        fprintf(output->file, "%s%s%s", bold ? colour_of('b') : "", texts[i],
                bold ? colour_of('0') : "");
        if ((i + 1) % columns)
            fprintf(output->file, "%*s", room, "");
        else
            putc('\n', output->file);
    }
    apr_pool_clear(output->scratch);
}

void sync_output_json(const sync_output_t *output, struct json_object *json)
{
    print_json(output, output->file, json);
}

void sync_output_result(const sync_output_t *output, json_object *json,
                        const char *format, ...)
{
    va_list args;

    if (output->json) {
        sync_output_json(output, json);
        return;
    }
    json_object_put(json);
    va_start(args, format);
    print_line(output, format, args);
    va_end(args);
}

void sync_output_add_text(struct json_object *json, const char *name,
                          const char *text)
{
    json_object_object_add(json, name,
                           text ? json_object_new_string(text) : NULL);
}

void sync_output_add_number(struct json_object *json, const char *name,
                            apr_int64_t number)
{
    json_object_object_add(json, name, json_object_new_int64(number));
}

void sync_output_add_moment(struct json_object *json, const char *name,
                            apr_int64_t clock, apr_pool_t *pool)
{
    sync_output_add_text(json, name, clock ? cm_moment_iso(clock, pool) : NULL);
}

void sync_output_add_span(struct json_object *json, const char *name,
                          apr_int64_t span)
{
    char digits[32];

    snprintf(digits, sizeof(digits), "%.6f", (double)span / APR_USEC_PER_SEC);
    json_object_object_add(
        json, name,
        json_object_new_double_s((double)span / APR_USEC_PER_SEC, digits));
}

void sync_output_add_truth(struct json_object *json, const char *name,
                           int truth)
{
    json_object_object_add(json, name, json_object_new_boolean(truth != 0));
}

const char *sync_output_moment(apr_int64_t clock, apr_pool_t *pool)
{
    apr_time_exp_t time;

    if (clock < 1000000)
        return clock ? "before all changes" : "-";
    apr_time_exp_gmt(&time, clock);
    return apr_psprintf(pool, "%04d-%02d-%02d %02d:%02d:%02d.%06d UTC",
                        time.tm_year + 1900, time.tm_mon + 1, time.tm_mday,
                        time.tm_hour, time.tm_min, time.tm_sec, time.tm_usec);
}

const char *sync_output_record(const cm_identity_t *identity, apr_pool_t *pool)
{
    if (!identity->origin || !identity->original_id)
        return "";
    return apr_pstrcat(pool, identity->origin, "/", identity->original_id,
                       NULL);
}

const char *sync_output_paint(char colour, const char *text, apr_pool_t *pool)
{
    const char before[] = {(char)MARK, colour, '\0'};
    const char after[] = {(char)MARK, '0', '\0'};

    return apr_pstrcat(pool, before, cm_clean(text, pool), after, NULL);
}

const char *sync_output_ago(apr_int64_t clock, apr_pool_t *pool)
{
    apr_int64_t age = apr_time_now() - clock;

    if (clock == 0)
        return "never";
    return age < APR_USEC_PER_SEC ? "now" : cm_health_judge_span(age, pool);
}

const char *sync_output_when(apr_int64_t clock, apr_pool_t *pool)
{
    const char *text = sync_output_ago(clock, pool);

    return apr_isdigit(*text) ? apr_pstrcat(pool, text, " ago", NULL) : text;
}
