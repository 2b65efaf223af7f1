/* The memory of exchanges, kept from one to the next.
 *
 * httpd returns to the system what a connection holds above MaxMemFree (2 MB)
 * when a request ends. A batch takes more, and to return that and fetch it
 * again, page by page, was half of the CPU of a child. So exchanges have an
 * allocator of their own: one for all threads of the process, so that what it
 * keeps is bounded. */
#include "mod_communicator.h"

#include <apr_allocator.h>
#include <apr_thread_mutex.h>

#define KEPT_BYTES (16 * 1024 * 1024)

static apr_allocator_t *kept;

/* Threads may use it until the process ends, so it outlives the child's
 * pool. */
void cm_memory_child_init(apr_pool_t *pool, server_rec *server)
{
    apr_thread_mutex_t *mutex;
    apr_allocator_t *allocator;

    (void)pool;
    if (apr_thread_mutex_create(&mutex, APR_THREAD_MUTEX_DEFAULT,
                                server->process->pool) != APR_SUCCESS ||
        apr_allocator_create(&allocator) != APR_SUCCESS)
        return;
    apr_allocator_mutex_set(allocator, mutex);
    apr_allocator_max_free_set(allocator, KEPT_BYTES);
    kept = allocator;
}

apr_pool_t *cm_memory_pool(const request_rec *r)
{
    apr_pool_t *pool;

    apr_pool_create_ex(&pool, r->pool, NULL, kept);
    apr_pool_tag(pool, "communicator_exchange");
    return pool;
}
