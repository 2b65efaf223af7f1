/* The memory of exchanges: kept from one to the next, but what a large one used
 * goes back to the system.
 *
 * When a request ends, httpd returns to the system what a connection holds
 * above MaxMemFree (2 MB). A batch uses more; returning it and getting it
 * again, page by page, took half of the CPU time of a child. So exchanges have
 * an allocator of their own. All threads of the process share it, so that what
 * it keeps is bounded. */
#include "mod_communicator.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <apr_allocator.h>
#include <apr_thread_mutex.h>

#define KEPT_BYTES (16 * 1024 * 1024)

/* An exchange of so many bytes may need more memory than is kept; batches are
 * usually smaller. */
#define LARGE_BYTES (4 * 1024 * 1024)

static apr_allocator_t *kept;

/* Threads may use it until the process ends, so it outlives the child's
 * pool. */
void mod_allocator_child_init(apr_pool_t *pool, server_rec *server)
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

apr_pool_t *mod_allocator_pool(const request_rec *r)
{
    apr_pool_t *pool;

    apr_pool_create_ex(&pool, r->pool, NULL, kept);
    apr_pool_tag(pool, "communicator_exchange");
    return pool;
}

#ifdef __GLIBC__
/* The C library keeps freed memory in the arena of each thread. */
static apr_status_t trim(void *unused)
{
    (void)unused;
    malloc_trim(0);
    return APR_SUCCESS;
}
#endif

void mod_allocator_expect(const request_rec *r, apr_size_t size)
{
#ifdef __GLIBC__
    /* a pool's cleanups run when its subpools are gone */
    if (size >= LARGE_BYTES)
        apr_pool_cleanup_register(r->pool, NULL, trim, apr_pool_cleanup_null);
#else
    (void)r;
    (void)size;
#endif
}
