/* Errors: see error.h. */
#include "base/error.h"

#include <stdarg.h>

#include <apr_strings.h>

static const struct {
    const char *name;
    int http_status;
    int exit_status;
    int transient;
    const char *meaning;
} codes[] = {
#define CM_CODE(name, http, exit_status, transient, meaning)                   \
    {#name, http, exit_status, transient, meaning},
#include "base/error_codes.h"
#undef CM_CODE
};

cm_error_t *cm_error_make(apr_pool_t *pool, cm_code_e code,
                          const cm_error_t *cause, const char *file, int line,
                          const char *format, ...)
{
    cm_error_t *err = apr_pcalloc(pool, sizeof(*err));
    va_list args;

    va_start(args, format);
    err->message = apr_pvsprintf(pool, format, args);
    va_end(args);
    err->code = code;
    err->cause = cause;
    err->hint = cause ? cause->hint : NULL;
    err->file = file;
    err->line = line;
    return err;
}

cm_error_t *cm_error_hint(cm_error_t *err, apr_pool_t *pool, const char *format,
                          ...)
{
    va_list args;

    va_start(args, format);
    err->hint = apr_pvsprintf(pool, format, args);
    va_end(args);
    return err;
}

const char *cm_error_text(const cm_error_t *err, apr_pool_t *pool)
{
    const char *text = err->message;

    for (err = err->cause; err; err = err->cause)
        text = apr_pstrcat(pool, text, ": ", err->message, NULL);
    return text;
}

const char *cm_error_line(const cm_error_t *err, apr_pool_t *pool)
{
    const char *text = cm_error_text(err, pool);

    return err->hint ? apr_psprintf(pool, "%s (%s)", text, err->hint) : text;
}

cm_error_t *cm_error_copy(const cm_error_t *err, apr_pool_t *pool)
{
    cm_error_t *copy = apr_pmemdup(pool, err, sizeof(*err));

    copy->message = apr_pstrdup(pool, err->message);
    copy->hint = apr_pstrdup(pool, err->hint);
    if (err->cause)
        copy->cause = cm_error_copy(err->cause, pool);
    return copy;
}

const char *cm_error_code_name(cm_code_e code)
{
    return codes[code].name;
}

const char *cm_error_code_meaning(cm_code_e code)
{
    return codes[code].meaning;
}

int cm_error_code_http_status(cm_code_e code)
{
    return codes[code].http_status;
}

int cm_error_code_exit_status(cm_code_e code)
{
    return codes[code].exit_status;
}

int cm_error_code_is_transient(cm_code_e code)
{
    return codes[code].transient;
}
