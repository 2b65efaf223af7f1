/* See sqlite.h. */
#include "sqlite.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "gone.h"

#define OK       0
#define IO_ERROR 10
#define SCHEMA   17
/* Arguments of sqlite3_config(). */
#define SINGLE_THREAD 1
#define MEMORY_STATUS 9
#define LOOKASIDE     13

#define SLOTS 4096 /* a power of two */

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

/* A statement that is kept. */
typedef struct kept_t {
    sqlite3 *connection;
    sqlite3_stmt *statement;
    char *sql;
    int busy;  /* somebody has it */
    int stale; /* the schema has changed since */
} kept_t;

static kept_t kept[SLOTS];

/* The same, by statement; one that finds its place taken is not kept. */
static kept_t *by_statement[SLOTS];

static struct {
    int (*prepare)(sqlite3 *, const char *, int, sqlite3_stmt **,
                   const char **);
    int (*step)(sqlite3_stmt *);
    int (*reset)(sqlite3_stmt *);
    int (*clear)(sqlite3_stmt *);
    int (*finalize)(sqlite3_stmt *);
    int (*close)(sqlite3 *);
} real;

static void *find(void *library, const char *name)
{
    void *found = dlsym(library, name);

    if (!found)
        abort();
    return found;
}

void sim_sqlite_begin(void)
{
    void *library = dlopen("libsqlite3.so.0", RTLD_LAZY);
    int (*config)(int, ...);

    if (!library)
        return;
    *(void **)&config = find(library, "sqlite3_config");
    config(SINGLE_THREAD);
    config(MEMORY_STATUS, 0);
    config(LOOKASIDE, 1200, 400);
    *(void **)&real.prepare = find(library, "sqlite3_prepare");
    *(void **)&real.step = find(library, "sqlite3_step");
    *(void **)&real.reset = find(library, "sqlite3_reset");
    *(void **)&real.clear = find(library, "sqlite3_clear_bindings");
    *(void **)&real.finalize = find(library, "sqlite3_finalize");
    *(void **)&real.close = find(library, "sqlite3_close");
}

static kept_t **place_of(const sqlite3_stmt *statement)
{
    size_t hash = (size_t)statement >> 4;

    return &by_statement[(hash ^ hash >> 12) & (SLOTS - 1)];
}

static void drop(kept_t *one)
{
    *place_of(one->statement) = NULL;
    real.finalize(one->statement);
    free(one->sql);
    memset(one, 0, sizeof(*one));
}

/* The place of SQL among those kept. */
static kept_t *place(const sqlite3 *connection, const char *sql, size_t size)
{
    size_t hash = (size_t)connection >> 4, i;

    for (i = 0; i < size; i++)
        hash = hash * 31 + (unsigned char)sql[i];
    return &kept[(hash ^ hash >> 15) & (SLOTS - 1)];
}

static int is_same(const kept_t *one, const sqlite3 *connection,
                   const char *sql, size_t size)
{
    return one->connection == connection && !strncmp(one->sql, sql, size) &&
           !one->sql[size];
}

/* Statements that change neither the schema nor the connection. */
static int is_worth_keeping(const char *sql)
{
    static const char *const words[] = {
        "SELECT", "INSERT",   "UPDATE",    "DELETE",  "WITH", "COMMIT",
        "BEGIN",  "ROLLBACK", "SAVEPOINT", "RELEASE", NULL};
    int i;

    for (i = 0; words[i]; i++)
        if (!strncmp(sql, words[i], strlen(words[i])))
            return 1;
    return 0;
}

int sqlite3_prepare(sqlite3 *connection, const char *sql, int most,
                    sqlite3_stmt **statement, const char **tail);
int sqlite3_prepare(sqlite3 *connection, const char *sql, int most,
                    sqlite3_stmt **statement, const char **tail)
{
    size_t size = most < 0 ? strlen(sql) : strnlen(sql, (size_t)most);
    kept_t *one = place(connection, sql, size);
    const char *end = NULL;
    int rc;

    if (one->statement && !one->busy && !one->stale &&
        is_same(one, connection, sql, size)) {
        one->busy = 1;
        *statement = one->statement;
        if (tail)
            *tail = sql + size;
        return OK;
    }
    rc = real.prepare(connection, sql, most, statement, &end);
    if (tail)
        *tail = end;
    if (rc != OK || !*statement || one->busy || end != sql + size ||
        *place_of(*statement) || !is_worth_keeping(sql))
        return rc;
    if (one->statement)
        drop(one);
    *place_of(*statement) = one;
    *one = (kept_t){connection, *statement, strndup(sql, size), 1, 0};
    return rc;
}

int sqlite3_finalize(sqlite3_stmt *statement);
int sqlite3_finalize(sqlite3_stmt *statement)
{
    kept_t *one = *place_of(statement);
    int rc, i;

    if (!one || one->statement != statement)
        return real.finalize(statement);
    one->busy = 0;
    rc = real.reset(statement);
    real.clear(statement);
    /* They stay for now: the next question is what was wrong. */
    for (i = 0; rc == SCHEMA && i < SLOTS; i++)
        kept[i].stale |= kept[i].connection == one->connection;
    return rc;
}

int sqlite3_close(sqlite3 *connection);
int sqlite3_close(sqlite3 *connection)
{
    int i;

    for (i = 0; i < SLOTS; i++)
        if (kept[i].connection == connection && !kept[i].busy)
            drop(&kept[i]);
    return real.close(connection);
}

int sqlite3_step(sqlite3_stmt *statement);
int sqlite3_step(sqlite3_stmt *statement)
{
    switch (sim_gone_next(sim_clock_node())) {
    case SIM_GONE_NOT:
        return real.step(statement);
    case SIM_GONE_AFTER:
        (void)real.step(statement);
        return IO_ERROR;
    case SIM_GONE_NOW:
        break;
    }
    return IO_ERROR;
}
