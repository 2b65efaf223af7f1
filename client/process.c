/* Programs that the configuration names: see process.h. */
#include "process.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <apr_strings.h>
#include <apr_thread_proc.h>

static cm_error_t *failed(const char *directive, const char *command,
                          const char *why, apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_FILE, "%s '%s': %s", directive, command, why);
}

static apr_status_t start(apr_proc_t *process, const char *command,
                          const apr_array_header_t *arguments, apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_make(pool, 8, sizeof(char *));
    apr_procattr_t *how;
    apr_status_t rv;
    char **words;

    rv = apr_tokenize_to_argv(command, &words, pool);
    if (rv != APR_SUCCESS)
        return rv;
    if (!*words)
        return APR_EINVAL;
    for (; *words; words++)
        APR_ARRAY_PUSH(all, const char *) = *words;
    apr_array_cat(all, arguments);
    APR_ARRAY_PUSH(all, const char *) = NULL;
    apr_procattr_create(&how, pool);
    /* a program that does not read must not keep us from its end */
    apr_procattr_io_set(how, APR_CHILD_BLOCK, APR_NO_PIPE, APR_NO_PIPE);
    apr_procattr_cmdtype_set(how, APR_PROGRAM_PATH);
    apr_procattr_error_check_set(how, 1);
    return apr_proc_create(process, APR_ARRAY_IDX(all, 0, const char *),
                           (const char *const *)all->elts, NULL, how, pool);
}

/* Write as much of INPUT as PROCESS has room for now, and close it behind the
 * end, or if PROCESS reads no more. */
static void feed(apr_proc_t *process, const char **input)
{
    apr_size_t size = strlen(*input);
    apr_status_t rv;

    if (!process->in)
        return;
    rv = apr_file_write_full(process->in, *input, size, &size);
    *input += size;
    if (APR_STATUS_IS_EAGAIN(rv))
        return;
    apr_file_close(process->in);
    process->in = NULL;
}

/* Let PROCESS read INPUT, and wait SECONDS for its end. Return why it failed,
 * or NULL. */
static const char *wait_for(apr_proc_t *process, const char *input, int seconds,
                            apr_pool_t *pool)
{
    apr_time_t end = apr_time_now() + apr_time_from_sec(seconds);
    apr_exit_why_e why;
    int code;

    feed(process, &input);
    while (apr_proc_wait(process, &code, &why, APR_NOWAIT) ==
           APR_CHILD_NOTDONE) {
        if (apr_time_now() > end) {
            apr_proc_kill(process, SIGKILL);
            apr_proc_wait(process, &code, &why, APR_WAIT);
            return apr_psprintf(pool, "it was killed after %d seconds",
                                seconds);
        }
        apr_sleep(apr_time_from_msec(20));
        feed(process, &input);
    }
    if (!APR_PROC_CHECK_EXIT(why))
        return apr_psprintf(pool, "signal %d ended it", code);
    return code ? apr_psprintf(pool, "it ended with status %d", code) : NULL;
}

cm_error_t *sync_process_run(const char *directive, const char *command,
                             const apr_array_header_t *arguments,
                             const char *input, int seconds, apr_pool_t *pool)
{
    apr_proc_t process;
    apr_status_t rv = start(&process, command, arguments, pool);
    const char *why;
    char words[120];

    if (rv != APR_SUCCESS)
        return failed(directive, command,
                      apr_strerror(rv, words, sizeof(words)), pool);
    why = wait_for(&process, input, seconds, pool);
    if (process.in)
        apr_file_close(process.in);
    return why ? failed(directive, command, why, pool) : NULL;
}

cm_error_t *sync_process_check(const char *directive, const char *command,
                               apr_pool_t *pool)
{
    char **words;

    if (apr_tokenize_to_argv(command, &words, pool) != APR_SUCCESS || !*words)
        return failed(directive, command, "it names no program", pool);
    /* A name without a slash is looked up in PATH, which differs under cron. */
    if (!strchr(*words, '/') || access(*words, X_OK) == 0)
        return NULL;
    return failed(directive, command, strerror(errno), pool);
}
