/* What a person sees: results on stdout, problems on stderr. Colour only on a
 * terminal and without NO_COLOR. All text that is printed is cleaned here
 * (base/clean.h), except for the colours of sync_output_paint(). */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <stdio.h>

#include <apr_tables.h>
#include <apr_time.h>

#include "base/clean.h"
#include "record/identity.h"

struct json_object;

/* Removes a progress bar. */
#define SYNC_PROGRESS_WIPE "\r\033[K"

typedef struct sync_output_t {
    FILE *file; /* where results go: stdout */
    int quiet, verbose, json;
    int terminal; /* stdout is one */
    int colour;
    int colour_err;   /* for stderr */
    int progress;     /* stderr is a terminal: a progress bar may be drawn */
    const char *what; /* the progress shown at present, NULL: none */
    apr_time_t began, drawn;
    apr_int64_t first;   /* how much was done when it began */
    apr_pool_t *scratch; /* cleared with each line */
} sync_output_t;

/* How a line of a check ends. */
typedef enum sync_verdict_e {
    SYNC_VERDICT_OK,
    SYNC_VERDICT_WARN,
    SYNC_VERDICT_FAIL
} sync_verdict_e;

/* Create the output, by the terminal and the options given. */
sync_output_t *sync_output_create(int quiet, int verbose, int json,
                                  apr_pool_t *pool);

/* Print a line of a result, for people: not with --quiet or --json. */
void sync_output_line(const sync_output_t *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print a line that matters only to a person who watches: on a terminal, or
 * with --verbose. */
void sync_output_summary(const sync_output_t *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Print a line on stderr: "communicator-sync: facade: ...", with --json as an
 * object. PEER may be NULL. */
void sync_output_warn(const sync_output_t *output, const char *peer,
                      const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Print ERR about PEER (or NULL) as one line, and its hint as another, on
 * stderr; with --json as one object. */
void sync_output_error(const sync_output_t *output, const char *peer,
                       const cm_error_t *err, apr_pool_t *pool);

/* Print one line of a check: the verdict, WHAT, and what to do or NULL. */
void sync_output_verdict(const sync_output_t *output, sync_verdict_e verdict,
                         const char *what, const char *hint);

/* Append the texts of ROW to the CELLS (const char *) of a table. */
void sync_output_row(apr_array_header_t *cells, int columns,
                     const char *const *row);

/* Print a table: CELLS (const char *) in rows of COLUMNS. The first row is the
 * heading. */
void sync_output_table(const sync_output_t *output,
                       const apr_array_header_t *cells, int columns);

/* Print JSON as one line and put it. */
void sync_output_json(const sync_output_t *output, struct json_object *json);

/* Print a result: JSON with --json, else a line for people. Puts JSON. */
void sync_output_result(const sync_output_t *output, struct json_object *json,
                        const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Add a member to an object that is to be printed; TEXT may be NULL. A moment
 * is in ISO 8601, null for 0; a span, of microseconds, in seconds. */
void sync_output_add_text(struct json_object *json, const char *name,
                          const char *text);
void sync_output_add_number(struct json_object *json, const char *name,
                            apr_int64_t number);
void sync_output_add_moment(struct json_object *json, const char *name,
                            apr_int64_t clock, apr_pool_t *pool);
void sync_output_add_span(struct json_object *json, const char *name,
                          apr_int64_t span);
void sync_output_add_truth(struct json_object *json, const char *name,
                           int truth);

/* Show how far WHAT has come, with rate and time left: a bar on stderr when
 * that is a terminal, else with --verbose a line from time to time. Nothing in
 * the first moments. OUTPUT is a sync_output_t: this fits as a callback. */
void sync_progress_show(void *output, const char *what, apr_int64_t done,
                        apr_int64_t total);

/* Remove the progress shown at present, if any. */
void sync_progress_end(sync_output_t *output);

/* Return CLOCK as date and time; "-" for 0. */
const char *sync_output_moment(apr_int64_t clock, apr_pool_t *pool);

/* Return "ORIGIN/ID", or "" for a record without an identity. */
const char *sync_output_record(const cm_identity_t *identity, apr_pool_t *pool);

/* Return TEXT in a colour, for a line or a table on stdout: 'r', 'y', 'g', or
 * 'd' (dim). */
const char *sync_output_paint(char colour, const char *text, apr_pool_t *pool);

/* Return how long ago CLOCK (microseconds since 1970) was: "5 min", "never"
 * for 0. */
const char *sync_output_ago(apr_int64_t clock, apr_pool_t *pool);

/* Return when that was: "5 min ago", "now", "never". */
const char *sync_output_when(apr_int64_t clock, apr_pool_t *pool);

#endif
