/* The directives, for both programs: split lines into words, set what the words
 * say, and print settings as lines. The table of directives is in directives.h.
 */
#ifndef CM_CONFIG_DIRECTIVE_H
#define CM_CONFIG_DIRECTIVE_H

#include "base/buffer.h"
#include "config/settings.h"

typedef enum cm_directive_e {
#define CM_DIRECTIVE(id, name, reader, least, most, usage, help)               \
    CM_DIRECTIVE_##id,
#include "config/directives.h"
#undef CM_DIRECTIVE
    CM_DIRECTIVE_COUNT
} cm_directive_e;

typedef enum cm_reader_e {
    CM_READER_BOTH,
    CM_READER_CLIENT,
    CM_READER_BORROWED
} cm_reader_e;

typedef struct cm_directive_t {
    cm_directive_e id;
    const char *name;
    cm_reader_e reader;
    int least, most;   /* words after the name; most 0: any number */
    const char *usage; /* those words */
    const char *help;  /* what it is for, and the default */
} cm_directive_t;

extern const cm_directive_t cm_directive_table[CM_DIRECTIVE_COUNT];

/* Return the directive of that name in any case, or NULL. */
const cm_directive_t *cm_directive_find(const char *name);

/* Return the names of all directives, separated by ", ". */
const char *cm_directive_names(apr_pool_t *pool);

/* Split LINE into WORDS (const char *) as httpd does: blanks separate words,
 * '...' or "..." encloses a word with blanks, a backslash escapes a quote or a
 * backslash. Fails with CM_CONFIG when a quote is not closed. */
cm_error_t *cm_directive_words(apr_array_header_t **words, const char *line,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Set in SETTINGS what the COUNT words after DIRECTIVE at PLACE say; all is
 * copied into POOL. A later line replaces an earlier one, but peers and models
 * are added. Fails with CM_CONFIG; the message names the bad word and the valid
 * ones, and the caller adds the place. The caller handles CM_DIRECTIVE_INCLUDE.
 */
cm_error_t *cm_directive_set(cm_settings_t *settings,
                             const cm_directive_t *directive, int count,
                             const char *const *words, cm_place_t place,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Print SETTINGS as configuration lines, defaults included; comments say where
 * peers and models were declared. With CLIENT also what only communicator-sync
 * reads. Passwords are masked. For `communicator-sync configtest --dump` and
 * httpd's -D DUMP_COMMUNICATOR. */
void cm_directive_print(cm_buffer_t *out, const cm_settings_t *settings,
                        int client);

#endif
