/* See heap.h. There is one thread. Blocks are as long as so many grains; longer
 * ones are malloc()'s. */
#include "heap.h"

#include <stdlib.h>
#include <string.h>

/* An argument of sqlite3_config(). */
#define MALLOC 4

/* The longest block holds a page of a database, and what SQLite adds to it. */
#define GRAIN  32
#define GRAINS 256
#define SUPPLY (1 << 20)

/* In front of what SQLite gets. */
typedef union head_t {
    size_t grains;
    union head_t *next; /* of those that wait */
} head_t;

/* See sqlite3.h, which need not be installed. */
typedef struct methods_t {
    void *(*take)(int);
    void (*release)(void *);
    void *(*resize)(void *, int);
    int (*size)(void *);
    int (*round_up)(int);
    int (*begin)(void *);
    void (*end)(void *);
    void *baton;
} methods_t;

static head_t *waiting[GRAINS + 1]; /* by their length */
static char *supply;
static size_t left; /* of it, in bytes */

static size_t grains_of(int size)
{
    return ((size_t)size + sizeof(head_t) + GRAIN - 1) / GRAIN;
}

static head_t *cut(size_t grains)
{
    head_t *head;

    if (left < grains * GRAIN) {
        left = SUPPLY;
        supply = malloc(left);
        if (!supply)
            abort();
    }
    head = (head_t *)supply;
    supply += grains * GRAIN;
    left -= grains * GRAIN;
    return head;
}

static void *take(int size)
{
    size_t grains = grains_of(size);
    head_t *head = NULL;

    if (grains > GRAINS)
        head = malloc(grains * GRAIN);
    else if (!waiting[grains])
        head = cut(grains);
    else {
        head = waiting[grains];
        waiting[grains] = head->next;
    }
    if (!head)
        return NULL;
    head->grains = grains;
    return head + 1;
}

static void release(void *block)
{
    head_t *head = (head_t *)block - 1;
    size_t grains = head->grains;

    if (grains > GRAINS) {
        free(head);
        return;
    }
    head->next = waiting[grains];
    waiting[grains] = head;
}

static int size_of(void *block)
{
    return (int)(((head_t *)block - 1)->grains * GRAIN - sizeof(head_t));
}

static void *resize(void *block, int size)
{
    void *longer;

    if (grains_of(size) == ((head_t *)block - 1)->grains)
        return block;
    longer = take(size);
    if (!longer)
        return NULL;
    memcpy(longer, block,
           (size_t)(size < size_of(block) ? size : size_of(block)));
    release(block);
    return longer;
}

static int round_up(int size)
{
    return (int)(grains_of(size) * GRAIN - sizeof(head_t));
}

static int begin(void *baton)
{
    (void)baton;
    return 0;
}

static void end(void *baton)
{
    (void)baton;
}

void sim_heap_begin(int (*config)(int, ...))
{
    static const methods_t methods = {take,     release, resize, size_of,
                                      round_up, begin,   end,    NULL};

#ifndef __SANITIZE_ADDRESS__
    config(MALLOC, &methods);
#else
    (void)methods;
    (void)config;
#endif
}
