/* What the program around the serving side does for it: functions, so that
 * nothing here knows httpd. mod_communicator gives its own (exchange.c there);
 * a test gives what it wants to see. */
#ifndef CM_EXCHANGE_HOST_H
#define CM_EXCHANGE_HOST_H

#include <apr_time.h>

#include "base/buffer.h"
#include "node/node.h"

/* How important a log message is: syslog's numbers, as httpd uses them. */
typedef enum cm_log_e {
    CM_LOG_ERROR = 3,
    CM_LOG_WARNING = 4,
    CM_LOG_NOTICE = 5,
    CM_LOG_INFO = 6,
    CM_LOG_DEBUG = 7
} cm_log_e;

/* Returned by read_body() when the server has sent an answer itself. */
#define CM_HOST_ANSWERED (-1)

/* Work with a node; results belong into a pool of the baton's. */
typedef cm_error_t *(*cm_host_work_t)(cm_node_t *node, void *baton,
                                      apr_pool_t *pool);

typedef struct cm_host_t {
    /* Run WORK with a node on a connection, which is given back afterwards;
     * again on another connection when the first is dead or the database
     * busy. Fails as WORK, and with CM_UNAVAILABLE. */
    cm_error_t *(*use_node)(void *baton, cm_host_work_t work, void *work_baton,
                            apr_pool_t *pool);

    /* Read the request's body as it was sent, at most body_limit bytes.
     * Returns 0, the HTTP status to refuse the request with, or
     * CM_HOST_ANSWERED. */
    int (*read_body)(cm_buffer_t **body, void *baton, apr_pool_t *pool);
    apr_off_t body_limit;

    /* Expect that the exchange works on SIZE bytes. May be NULL. */
    void (*expect)(void *baton, apr_size_t size);

    /* Reserve a place among the requests that wait; returns 0 when there is
     * none. wait_end() gives it back. NULL: no request waits here. */
    int (*wait_begin)(void *baton);
    void (*wait_end)(void *baton);

    /* Wait for TIME (microseconds). Returns 0 when the request has to be
     * answered now: the server is stopping, or nobody reads the answer. */
    int (*wait_on)(void *baton, apr_interval_time_t time);

    /* Log TEXT, which begins with a number of log.h. Called only for levels
     * up to log_level. */
    void (*log)(void *baton, cm_log_e level, const char *text);
    int log_level;

    void *baton;
} cm_host_t;

#endif
