/* See sqlite.h. */
#include "sqlite.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include <apr_dbd.h>

#include "clock.h"
#include "disk.h"
#include "gone.h"
#include "heap.h"
#include "literals.h"

#define OK       0
#define IO_ERROR 10
#define SCHEMA   17
/* Arguments of sqlite3_config(). */
#define SINGLE_THREAD 1
#define MEMORY_STATUS 9
#define LOOKASIDE     13

/* Of sqlite3_db_config(). */
#define ENABLE_FKEY 1002

/* A statement stands in one of so many places after that of its hash. */
#define NEAR  4
#define SLOTS 16384 /* a power of two */

#define TRANSIENT ((void (*)(void *)) - 1)

typedef struct sqlite3 sqlite3;
typedef struct sqlite3_stmt sqlite3_stmt;

/* A statement that is kept. */
typedef struct kept_t {
    sqlite3 *connection;
    sqlite3_stmt *statement;
    char *sql;
    size_t size;
    size_t hash;
    int busy;  /* somebody has it */
    int stale; /* the schema has changed since */
    int lasts; /* the driver finalizes it only when it closes */
} kept_t;

static kept_t kept[SLOTS + NEAR];

/* The same, by statement. */
static kept_t *by_statement[SLOTS + NEAR];

static struct {
    int (*prepare)(sqlite3 *, const char *, int, sqlite3_stmt **,
                   const char **);
    int (*step)(sqlite3_stmt *);
    int (*reset)(sqlite3_stmt *);
    int (*clear)(sqlite3_stmt *);
    int (*bind_text)(sqlite3_stmt *, int, const char *, int, void (*)(void *));
    int (*bind_number)(sqlite3_stmt *, int, long long);
    int (*finalize)(sqlite3_stmt *);
    sqlite3_stmt *(*next)(sqlite3 *, sqlite3_stmt *);
    int (*close)(sqlite3 *);
    int (*db_config)(sqlite3 *, int, ...);
    int (*prepare_for_driver)(const apr_dbd_driver_t *, apr_pool_t *,
                              apr_dbd_t *, const char *, const char *,
                              apr_dbd_prepared_t **);
    int (*exec)(sqlite3 *, const char *, void *, void *, void *);
} real;

static void *symbol(void *library, const char *name)
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
    *(void **)&config = symbol(library, "sqlite3_config");
    config(SINGLE_THREAD);
    config(MEMORY_STATUS, 0);
    sim_heap_begin(config);
    config(LOOKASIDE, 1200, 400);
    *(void **)&real.prepare = symbol(library, "sqlite3_prepare");
    *(void **)&real.step = symbol(library, "sqlite3_step");
    *(void **)&real.reset = symbol(library, "sqlite3_reset");
    *(void **)&real.clear = symbol(library, "sqlite3_clear_bindings");
    *(void **)&real.bind_text = symbol(library, "sqlite3_bind_text");
    *(void **)&real.bind_number = symbol(library, "sqlite3_bind_int64");
    *(void **)&real.finalize = symbol(library, "sqlite3_finalize");
    *(void **)&real.prepare_for_driver = dlsym(RTLD_NEXT, "apr_dbd_prepare");
    *(void **)&real.db_config = symbol(library, "sqlite3_db_config");
    *(void **)&real.next = symbol(library, "sqlite3_next_stmt");
    *(void **)&real.exec = symbol(library, "sqlite3_exec");
    *(void **)&real.close = symbol(library, "sqlite3_close");
    sim_disk_begin(library);
}

static kept_t **first_entry(const sqlite3_stmt *statement)
{
    size_t hash = (size_t)statement >> 5;

    return &by_statement[(hash ^ hash >> 12) & (SLOTS - 1)];
}

/* Return where STATEMENT stands in by_statement, or NULL. */
static kept_t **entry_of(const sqlite3_stmt *statement)
{
    kept_t **one = first_entry(statement), **end = one + NEAR;

    for (; one < end; one++)
        if (*one && (*one)->statement == statement)
            return one;
    return NULL;
}

/* Return where it can stand there, or NULL. */
static kept_t **entry_for(const sqlite3_stmt *statement)
{
    kept_t **one = first_entry(statement), **end = one + NEAR;

    while (one < end && *one)
        one++;
    return one < end ? one : NULL;
}

static void drop(kept_t *one)
{
    *entry_of(one->statement) = NULL;
    real.finalize(one->statement);
    free(one->sql);
    memset(one, 0, sizeof(*one));
}

static size_t hash_of(const sqlite3 *connection, const char *sql, size_t size)
{
    size_t hash = (size_t)connection >> 4, word;

    for (; size; sql += word, size -= word) {
        size_t some = 0;

        word = size < sizeof(some) ? size : sizeof(some);
        memcpy(&some, sql, word);
        hash = (hash ^ some) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

/* The driver prepares a statement that it keeps itself. */
static int for_driver;

int apr_dbd_prepare(const apr_dbd_driver_t *driver, apr_pool_t *pool,
                    apr_dbd_t *handle, const char *query, const char *label,
                    apr_dbd_prepared_t **statement)
{
    int rc;

    for_driver = 1;
    rc = real.prepare_for_driver(driver, pool, handle, query, label, statement);
    for_driver = 0;
    return rc;
}

static int is_same(const kept_t *one, const sqlite3 *connection,
                   const char *sql, size_t size)
{
    return one->connection == connection && one->size == size &&
           !memcmp(one->sql, sql, size);
}

/* Return SQL among the statements kept that nobody has, or NULL. */
static kept_t *look_up(const sqlite3 *connection, const char *sql, size_t size,
                       size_t hash)
{
    kept_t *one = &kept[hash & (SLOTS - 1)], *end = one + NEAR;

    for (; one < end; one++)
        if (one->statement && one->hash == hash && !one->busy && !one->stale &&
            is_same(one, connection, sql, size))
            return one;
    return NULL;
}

/* Return a place for another one, or NULL. */
static kept_t *place(size_t hash)
{
    kept_t *one = &kept[hash & (SLOTS - 1)], *end = one + NEAR;
    kept_t *found = NULL;

    for (; one < end; one++)
        if (!one->busy && !one->lasts && (!found || found->statement))
            found = one;
    return found;
}

/* Statements that change neither the schema nor the connection. */
static int is_worth_keeping(const char *sql)
{
    static const char *const words[] = {
        "SELECT", "INSERT", "UPDATE",   "DELETE",    "WITH",    "REPLACE",
        "COMMIT", "BEGIN",  "ROLLBACK", "SAVEPOINT", "RELEASE", NULL};
    int i;

    for (i = 0; words[i]; i++)
        if (!strncmp(sql, words[i], strlen(words[i])))
            return 1;
    return 0;
}

static int keep(const kept_t *statement)
{
    kept_t *one = place(statement->hash);
    kept_t **entry = entry_for(statement->statement);

    if (!one || !entry)
        return 0;
    if (one->statement)
        drop(one);
    *entry = one;
    *one = *statement;
    one->sql = strdup(one->sql);
    return 1;
}

/* Give a statement of SQL that was kept, or one that is kept from now on.
 * Returns whether there is one. */
static int kept_one(sqlite3_stmt **statement, sqlite3 *connection,
                    const char *sql, size_t size, int lasts)
{
    size_t hash = hash_of(connection, sql, size);
    kept_t *one = look_up(connection, sql, size, hash);
    const char *end = NULL;

    if (one) {
        one->busy = 1;
        one->lasts |= lasts;
        *statement = one->statement;
        return 1;
    }
    *statement = NULL;
    if (real.prepare(connection, sql, (int)size, statement, &end) != OK ||
        !*statement)
        return 0;
    if (end == sql + size && keep(&(kept_t){connection, *statement, (char *)sql,
                                            size, hash, 1, 0, lasts}))
        return 1;
    real.finalize(*statement);
    return 0;
}

static void fill_in(sqlite3_stmt *statement, const sim_literals_t *literals)
{
    int i;

    for (i = 0; i < literals->count; i++) {
        const sim_literal_t *value = &literals->values[i];

        if (value->text)
            real.bind_text(statement, i + 1, value->text, value->size,
                           TRANSIENT);
        else
            real.bind_number(statement, i + 1, value->number);
    }
}

/* Return what is done instead of SQL. */
static const char *instead(sqlite3 *connection, const char *sql)
{
    int on = 0;

    if (!strcmp(sql, "PRAGMA journal_mode"))
        return "SELECT 'wal'";
    /* This would make all statements useless, even where it changes nothing. */
    if (!strcmp(sql, "PRAGMA foreign_keys = ON") &&
        !real.db_config(connection, ENABLE_FKEY, -1, &on) && on)
        return "SELECT 1";
    return sql;
}

/* Give a statement that was kept, or is from now on. Returns whether that can
 * be. */
static int find(sqlite3_stmt **statement, sqlite3 *connection, const char *sql)
{
    size_t size = strlen(sql);
    const sim_literals_t *literals;

    if (!is_worth_keeping(sql))
        return 0;
    literals = for_driver ? NULL : sim_literals_take(sql, size);
    if (!literals)
        return kept_one(statement, connection, sql, size, for_driver);
    if (!kept_one(statement, connection, literals->sql, literals->size, 0))
        return 0;
    fill_in(*statement, literals);
    return 1;
}

int sqlite3_prepare(sqlite3 *connection, const char *sql, int most,
                    sqlite3_stmt **statement, const char **tail);
int sqlite3_prepare(sqlite3 *connection, const char *sql, int most,
                    sqlite3_stmt **statement, const char **tail)
{
    const char *done = instead(connection, sql);

    if (done == sql && !find(statement, connection, sql))
        return real.prepare(connection, sql, most, statement, tail);
    if (tail)
        *tail = sql + strlen(sql);
    return done == sql ? OK
                       : real.prepare(connection, done, -1, statement, NULL);
}

int sqlite3_finalize(sqlite3_stmt *statement);
int sqlite3_finalize(sqlite3_stmt *statement)
{
    kept_t **entry = entry_of(statement), *one;
    int rc, i;

    if (!entry)
        return real.finalize(statement);
    one = *entry;
    one->busy = 0;
    rc = real.reset(statement);
    real.clear(statement);
    /* They stay for now: the next question is what was wrong. */
    for (i = 0; rc == SCHEMA && i < SLOTS + NEAR; i++)
        kept[i].stale |= kept[i].connection == one->connection;
    return rc;
}

void sim_sqlite_leave(void *connection)
{
    sqlite3_stmt *statement = NULL;
    int i;

    while ((statement = real.next(connection, statement)))
        real.reset(statement);
    real.exec(connection, "ROLLBACK", NULL, NULL, NULL);
    for (i = 0; i < SLOTS + NEAR; i++)
        if (kept[i].connection == connection && kept[i].busy)
            sqlite3_finalize(kept[i].statement);
}

int sqlite3_close(sqlite3 *connection);
int sqlite3_close(sqlite3 *connection)
{
    int i;

    for (i = 0; i < SLOTS + NEAR; i++)
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
