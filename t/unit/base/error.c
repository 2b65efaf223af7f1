/* The chain of an error as text, its hint, its properties. */
#include "base/error.h"
#include <apr_general.h>

#include "../tap.h"

static cm_error_t *fails(apr_pool_t *pool)
{
    cm_error_t *err = CM_FAIL(pool, CM_GAP, "message %d is missing", 7);

    return cm_error_hint(err, pool, "ask again from %d", 7);
}

static cm_error_t *passes_on(apr_pool_t *pool)
{
    CM_TRY_FOR(fails(pool), pool, "cannot pull");
    return NULL;
}

static void test_codes(void)
{
    int code;

    for (code = 0; code < CM_CODE_COUNT; code++) {
        int status = cm_error_code_http_status(code);

        ok(status >= 400 && status < 600, "%s has a status",
           cm_error_code_name(code));
        ok(cm_error_code_exit_status(code) >= 64, "  and an exit status");
        ok(*cm_error_code_meaning(code), "  and a meaning");
    }
}

int main(void)
{
    apr_pool_t *pool, *other;
    cm_error_t *err, *copy;

    apr_initialize();
    apr_pool_create(&pool, NULL);
    apr_pool_create(&other, NULL);
    err = passes_on(pool);
    is_str(cm_error_text(err, pool), "cannot pull: message 7 is missing",
           "the chain is one line");
    is_str(err->hint, "ask again from 7", "the hint of the cause is kept");
    is_int(err->code, CM_GAP, "and its code");
    copy = cm_error_copy(err, other);
    apr_pool_destroy(pool);
    is_str(cm_error_text(copy, other), "cannot pull: message 7 is missing",
           "a copy outlives the pool");
    test_codes();
    apr_terminate();
    return done_testing();
}
