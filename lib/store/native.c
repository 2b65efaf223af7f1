/* The few calls that apr_dbd has no word for: see internal.h.
 *
 * The driver has loaded the database's client library already; it is looked
 * up there and never loaded or linked. Without it Communicator works too: it
 * then knows errors by their words. */
#include "store/internal.h"

#include <dlfcn.h>

#include <apr_time.h>
#include <sys/socket.h>

#define PG_ERRORS_VERBOSE   2
#define MYSQL_OPT_RECONNECT 20

/* How often SQLite's lock is looked at before the driver has its turn to wait:
 * for about a second. */
#define BUSY_LOOKS          2500
#define SQLITE_DEFERRED_FKS 10

static void *symbol(const cm_store_t *store, const char *name)
{
    const char *const *library = store->dialect->ops->libraries;
    void *found = NULL;

    for (; *library && !found; library++) {
        void *handle = dlopen(*library, RTLD_LAZY | RTLD_NOLOAD);

        if (handle) {
            found = dlsym(handle, name);
            dlclose(handle);
        }
    }
    return found;
}

static void *connection(const cm_store_t *store)
{
    return apr_dbd_native_handle(store->driver, store->handle);
}

int cm_native_errno(const cm_store_t *store)
{
    int (*number)(void *) = NULL;

    if (store->dialect->database == CM_SQLITE3)
        *(void **)&number = symbol(store, "sqlite3_extended_errcode");
    else if (store->dialect->database == CM_MYSQL)
        *(void **)&number = symbol(store, "mysql_errno");
    return number ? number(connection(store)) : 0;
}

unsigned long cm_native_session(const cm_store_t *store)
{
    int (*process)(void *) = NULL;
    unsigned long (*thread)(void *) = NULL;

    if (store->dialect->database == CM_PGSQL)
        *(void **)&process = symbol(store, "PQbackendPID");
    else if (store->dialect->database == CM_MYSQL)
        *(void **)&thread = symbol(store, "mysql_thread_id");
    else
        return 1;
    if (process)
        return (unsigned long)process(connection(store));
    return thread ? thread(connection(store)) : 0;
}

/* SQLite asks this whether to look again for the lock that another process
 * holds. */
static int look_again(void *baton, int looks)
{
    (void)baton;
    apr_sleep(CM_BEGIN_PAUSE + apr_time_now() % CM_BEGIN_PAUSE);
    return looks < BUSY_LOOKS;
}

void cm_native_setup(const cm_store_t *store)
{
    int (*verbosity)(void *, int) = NULL;
    int (*option)(void *, int, const void *) = NULL;
    int (*busy)(void *, int (*)(void *, int), void *) = NULL;
    char off = 0;

    /* The driver looks every 100 ms, and never finds the moment between two
     * transactions of an application that does not pause. Not in httpd: there
     * other threads would wait for this one. */
    if (store->dialect->database == CM_SQLITE3 && store->params)
        *(void **)&busy = symbol(store, "sqlite3_busy_handler");
    if (busy)
        busy(connection(store), look_again, NULL);

    /* PostgreSQL puts the SQLSTATE into its text only when asked to. */
    if (store->dialect->database == CM_PGSQL)
        *(void **)&verbosity = symbol(store, "PQsetErrorVerbosity");
    if (verbosity)
        verbosity(connection(store), PG_ERRORS_VERBOSE);

    /* A connection that comes back by itself in the middle of a transaction
     * would commit its second half alone. */
    if (store->dialect->database == CM_MYSQL)
        *(void **)&option = symbol(store, "mysql_options");
    if (option)
        option(connection(store), MYSQL_OPT_RECONNECT, &off);
}

void cm_native_cut(const cm_store_t *store)
{
    void (*reset)(void *) = NULL;
    int (*socket)(void *) = NULL;

    /* libpq connects anew by itself; of MariaDB's mod_dbd asks whether it is
     * alive, and throws it away. */
    if (store->dialect->database == CM_PGSQL)
        *(void **)&reset = symbol(store, "PQreset");
    if (reset)
        reset(connection(store));
    if (store->dialect->database == CM_MYSQL)
        *(void **)&socket = symbol(store, "mysql_get_socket");
    if (socket)
        shutdown(socket(connection(store)), SHUT_RDWR);
}

int cm_native_read_only(const cm_store_t *store)
{
    int (*read_only)(void *, const char *) = NULL;

    if (store->dialect->database == CM_SQLITE3)
        *(void **)&read_only = symbol(store, "sqlite3_db_readonly");
    return read_only && read_only(connection(store), "main") == 1;
}

int cm_native_deferred(const cm_store_t *store)
{
    int (*status)(void *, int, int *, int *, int) = NULL;
    int now = 0, most = 0;

    if (store->dialect->database == CM_SQLITE3)
        *(void **)&status = symbol(store, "sqlite3_db_status");
    if (status &&
        status(connection(store), SQLITE_DEFERRED_FKS, &now, &most, 0))
        return 0;
    return now;
}

int cm_native_begin(int *rc, const cm_store_t *store, const char *sql)
{
    int (*run)(void *, const char *, void *, void *, void *) = NULL;

    if (store->dialect->database == CM_SQLITE3)
        *(void **)&run = symbol(store, "sqlite3_exec");
    if (run)
        *rc = run(connection(store), sql, NULL, NULL, NULL);
    return run != NULL;
}
