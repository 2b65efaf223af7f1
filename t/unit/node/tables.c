/* The tables that a connection remembers, and those that are missing. */
#include "../inbox.h"

#include <stdio.h>
#include <unistd.h>

#include <apr_general.h>

#define PARKED 100
#define TIMES  40

/* PARKED new authors. */
static const char *authors(apr_pool_t *pool)
{
    cm_buffer_t *text = cm_buffer_create(PARKED * 128, pool);
    int i;

    for (i = 1; i <= PARKED; i++)
        cm_buffer_raw(
            text,
            apr_psprintf(pool,
                         "%c{\"id\":%d,\"origin\":\"there\",\"original_id\":%d,"
                         "\"action\":\"create\",\"clock\":1000,\"body\":"
                         "\"{\\\"author\\\":{\\\"name\\\":\\\"n%d\\\"}}\"}",
                         i == 1 ? '[' : ',', i, i, i));
    cm_buffer_append(text, "]", 2);
    return text->data;
}

/* Retry what is parked, again and again. */
static void retry(cm_node_t *node, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    cm_receipt_t *receipt;
    int i;

    apr_pool_create(&iterpool, pool);
    for (i = 0; i < TIMES; i++) {
        apr_pool_clear(iterpool);
        database_must(cm_inbox_retry(&receipt, node, "there", iterpool));
    }
    apr_pool_destroy(iterpool);
}

#ifdef __SANITIZE_ADDRESS__
/* Of the sanitizer; not all compilers come with its headers. */
size_t __sanitizer_get_current_allocated_bytes(void);
#endif

/* Return how many bytes of memory this process uses. A sanitizer holds back
 * what is freed, so that one is asked. */
static long memory(void)
{
#ifdef __SANITIZE_ADDRESS__
    return (long)__sanitizer_get_current_allocated_bytes();
#else
    FILE *file = fopen("/proc/self/statm", "r");
    long all, resident = 0;

    if (file && fscanf(file, "%ld %ld", &all, &resident) != 2)
        resident = 0;
    if (file)
        fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
#endif
}

/* A connection may live as long as httpd does, and messages for a table that is
 * gone are retried by each run. */
static void test_gone(cm_store_t *store, apr_pool_t *pool)
{
    cm_node_t *node = inbox_node(store, inbox_settings(pool), pool);
    cm_receipt_t *receipt;
    long before;

    database_run(store, "DROP TABLE posts");
    database_run(store, "DROP TABLE authors");
    database_must(
        inbox_send(&receipt, node, "there", 0, authors(pool), 0, pool));
    is_int(receipt->parked->nelts, PARKED,
           "%s: messages for a table that is gone are parked",
           database_of(store));
    retry(node, pool);
    before = memory();
    retry(node, pool);
    ok(memory() - before < 512 * 1024,
       "  to retry them takes no memory of the connection");
}

int main(void)
{
    apr_initialize();
    database_each("a table that is gone", test_gone);
    apr_terminate();
    return done_testing();
}
