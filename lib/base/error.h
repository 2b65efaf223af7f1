/* Errors: the one error type of Communicator.
 *
 * Functions that can fail return cm_error_t *; NULL is success. An error is a
 * chain: each level may say what it was trying to do, the innermost link says
 * what went wrong. It lives in the pool that it was made in, so there is
 * nothing to free; but do not clear that pool while you hold the error.
 *
 * Messages are lower case, without a full stop, fact first, the subject in
 * single quotes. A hint says what to do next. Never a password, never a
 * message's body. Library functions do not log: a failed operation is logged
 * once, at the edge (the module's handler, the client's main). */
#ifndef CM_BASE_ERROR_H
#define CM_BASE_ERROR_H

#include <apr_pools.h>

typedef enum cm_code_e {
#define CM_CODE(name, http, exit_status, transient, meaning) CM_##name,
#include "base/error_codes.h"
#undef CM_CODE
    CM_CODE_COUNT
} cm_code_e;

typedef struct cm_error_t cm_error_t;
struct cm_error_t {
    cm_code_e code;
    const char *message;     /* this link's own words */
    const char *hint;        /* what to do next, or NULL */
    const cm_error_t *cause; /* what led to it, or NULL */
    const char *file;        /* where it was made, for debug logs */
    int line;
};

#define CM_UNUSED_RESULT __attribute__((warn_unused_result))

/* Return an error of CODE in POOL, made at FILE and LINE, with the hint of
 * CAUSE (may be NULL). CM_FAIL() and CM_TRY_FOR() fill these in. */
cm_error_t *cm_error_make(apr_pool_t *pool, cm_code_e code,
                          const cm_error_t *cause, const char *file, int line,
                          const char *format, ...)
    __attribute__((format(printf, 6, 7)));

/* Set the hint of ERR and return ERR. */
cm_error_t *cm_error_hint(cm_error_t *err, apr_pool_t *pool, const char *format,
                          ...) __attribute__((format(printf, 3, 4)));

/* Return the chain as one line in POOL: "cannot pull: <cause>: <cause>". */
const char *cm_error_text(const cm_error_t *err, apr_pool_t *pool);

/* The same with the hint behind it: "cannot pull: <cause> (<hint>)". */
const char *cm_error_line(const cm_error_t *err, apr_pool_t *pool);

/* Return the chain copied into POOL, to outlive the pool that it was made in.
 */
cm_error_t *cm_error_copy(const cm_error_t *err, apr_pool_t *pool);

/* Return what the table in error_codes.h says about CODE. */
const char *cm_error_code_name(cm_code_e code);
const char *cm_error_code_meaning(cm_code_e code);
int cm_error_code_http_status(cm_code_e code);
int cm_error_code_exit_status(cm_code_e code);
int cm_error_code_is_transient(cm_code_e code);

/* A new error, without a cause. */
#define CM_FAIL(pool, code, ...)                                               \
    cm_error_make((pool), (code), NULL, __FILE__, __LINE__, __VA_ARGS__)

/* Return the error of EXPR if it fails. */
#define CM_TRY(expr)                                                           \
    do {                                                                       \
        cm_error_t *cm_try_err = (expr);                                       \
        if (cm_try_err)                                                        \
            return cm_try_err;                                                 \
    } while (0)

/* The same, with what was tried before it: "cannot pull: ...". */
#define CM_TRY_FOR(expr, pool, ...)                                            \
    do {                                                                       \
        cm_error_t *cm_try_err = (expr);                                       \
        if (cm_try_err)                                                        \
            return cm_error_make((pool), cm_try_err->code, cm_try_err,         \
                                 __FILE__, __LINE__, __VA_ARGS__);             \
    } while (0)

#endif
