/* The file that `models --write` makes: see models_file.h. */
#include "models_file.h"

#include <errno.h>
#include <string.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_lib.h>
#include <apr_strings.h>

#include "base/file.h"

#define LINE_BYTES 8192

/* Set *EMPTY: PATH is not there, or holds only comments. */
static cm_error_t *is_empty(int *empty, const char *path, apr_pool_t *pool)
{
    char line[LINE_BYTES];
    apr_finfo_t info;
    apr_file_t *file;

    *empty = 1;
    if (APR_STATUS_IS_ENOENT(apr_stat(&info, path, APR_FINFO_TYPE, pool)))
        return NULL;
    CM_TRY(cm_file_open(&file, path, pool));
    while (*empty && apr_file_gets(line, sizeof(line), file) == APR_SUCCESS) {
        const char *text = line;

        while (apr_isspace(*text))
            text++;
        *empty = !*text || *text == '#';
    }
    apr_file_close(file);
    return NULL;
}

static cm_error_t *failed(const char *what, const char *path, apr_status_t rv,
                          apr_pool_t *pool)
{
    char words[120];

    return CM_FAIL(pool, CM_FILE, "cannot %s '%s': %s", what, path,
                   apr_strerror(rv, words, sizeof(words)));
}

cm_error_t *sync_models_file_write(const char *path, const cm_buffer_t *lines,
                                   apr_pool_t *pool)
{
    const char *made = apr_pstrcat(pool, path, ".new", NULL);
    apr_file_t *file;
    apr_status_t rv;
    int empty;

    CM_TRY(is_empty(&empty, path, pool));
    if (!empty)
        return cm_error_hint(
            CM_FAIL(pool, CM_FILE, "'%s' declares something already", path),
            pool,
            "name another file, or see what has changed: communicator-sync "
            "models --diff");
    rv = apr_file_open(
        &file, made, APR_FOPEN_WRITE | APR_FOPEN_CREATE | APR_FOPEN_TRUNCATE,
        APR_FPROT_UREAD | APR_FPROT_UWRITE | APR_FPROT_GREAD | APR_FPROT_WREAD,
        pool);
    if (rv)
        return failed("make", made, rv, pool);
    rv = apr_file_write_full(file, lines->data, lines->size, NULL);
    if (!rv)
        rv = apr_file_close(file);
    if (!rv)
        rv = apr_file_rename(made, path, pool);
    return rv ? failed("write", path, rv, pool) : NULL;
}
