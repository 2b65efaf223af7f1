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

#include "cm_health.h"

#define PROGRAM     "communicator-sync"
#define COLUMNS_MAX 16
#define PLAIN       (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)
#define WARNING_MAX 2048

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

    if (output->quiet || output->json)
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
        fputs(CM_PROGRESS_WIPE, stderr);
    fprintf(stderr, PROGRAM ": ");
    if (peer)
        fprintf(stderr, "%s: ", peer);
}

/* Print the object JSON on stderr and put it. */
static void print_json(json_object *json)
{
    fflush(stdout);
    fprintf(stderr, "%s\n", json_object_to_json_string_ext(json, PLAIN));
    json_object_put(json);
}

void cm_output_warn(const cm_output_t *output, const char *peer,
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
        fprintf(stderr, "%s\n", text);
        return;
    }
    json = json_object_new_object();
    if (peer)
        cm_output_add_text(json, "peer", peer);
    cm_output_add_text(json, "warning", text);
    print_json(json);
}

static void print_json_error(const char *peer, const cm_error_t *err,
                             const char *text)
{
    json_object *json = json_object_new_object();

    if (peer)
        cm_output_add_text(json, "peer", peer);
    cm_output_add_text(json, "error", text);
    cm_output_add_text(json, "code", cm_code_name(err->code));
    cm_output_add_number(json, "exit_status", cm_code_exit_status(err->code));
    if (err->hint)
        cm_output_add_text(json, "hint", err->hint);
    print_json(json);
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
    puts(json_object_to_json_string_ext(json, PLAIN));
    json_object_put(json);
}

void cm_output_add_text(struct json_object *json, const char *name,
                        const char *text)
{
    json_object_object_add(json, name,
                           text ? json_object_new_string(text) : NULL);
}

void cm_output_add_number(struct json_object *json, const char *name,
                          apr_int64_t number)
{
    json_object_object_add(json, name, json_object_new_int64(number));
}

void cm_output_add_truth(struct json_object *json, const char *name, int truth)
{
    json_object_object_add(json, name, json_object_new_boolean(truth != 0));
}

const char *cm_output_number(apr_int64_t number, apr_pool_t *pool)
{
    const char *digits = apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
    const char *sign = *digits == '-' ? "-" : "";
    apr_size_t size, first;
    const char *text;

    digits += strlen(sign);
    size = strlen(digits);
    first = (size - 1) % 3 + 1;
    text = apr_pstrmemdup(pool, digits, first);
    for (digits += first; *digits; digits += 3)
        text = apr_psprintf(pool, "%s,%.3s", text, digits);
    return apr_pstrcat(pool, sign, text, NULL);
}

const char *cm_output_messages(apr_int64_t number, apr_pool_t *pool)
{
    return apr_pstrcat(pool, cm_output_number(number, pool),
                       number == 1 ? " message" : " messages", NULL);
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
    apr_int64_t age = apr_time_now() - clock;

    if (clock == 0)
        return "never";
    return age < APR_USEC_PER_SEC ? "now" : cm_health_span(age, pool);
}

const char *cm_output_when(apr_int64_t clock, apr_pool_t *pool)
{
    const char *text = cm_output_ago(clock, pool);

    return apr_isdigit(*text) ? apr_pstrcat(pool, text, " ago", NULL) : text;
}

const char *cm_output_paused(const char *name, apr_int64_t at, apr_pool_t *pool)
{
    const char *ago = cm_output_ago(at, pool);

    if (strcmp(ago, "now") == 0)
        return apr_pstrcat(pool, name, " is paused", NULL);
    return apr_pstrcat(pool, name, " is paused for ", ago, NULL);
}
