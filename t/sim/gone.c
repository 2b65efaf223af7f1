/* See gone.h. sqlite3_step() stands before that of the library, for the driver
 * of libapr. */
#include "gone.h"

#include <dlfcn.h>
#include <stddef.h>

#include "clock.h"

#define IO_ERROR 10 /* SQLITE_IOERR */

struct sqlite3_stmt;

static struct {
    int node;
    int left; /* statements to go; 0: never gone */
    int after;
    int gone;
} process;

void sim_gone_at(int node, int number, int after)
{
    process.node = node;
    process.left = number;
    process.after = after;
    process.gone = 0;
}

int sim_gone(int node)
{
    return process.gone && process.node == node;
}

int sim_gone_end(void)
{
    int gone = process.gone;

    sim_gone_at(0, 0, 0);
    return gone;
}

static int step(struct sqlite3_stmt *statement)
{
    static int (*real)(struct sqlite3_stmt *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "sqlite3_step");
    /* The library came with the driver, later than this program. */
    if (!real)
        *(void **)&real =
            dlsym(dlopen("libsqlite3.so.0", RTLD_LAZY), "sqlite3_step");
    return real(statement);
}

int sqlite3_step(struct sqlite3_stmt *statement);
int sqlite3_step(struct sqlite3_stmt *statement)
{
    if (process.node != sim_clock_node())
        return step(statement);
    if (process.left && !--process.left) {
        process.gone = 1;
        if (process.after)
            (void)step(statement);
    }
    return process.gone ? IO_ERROR : step(statement);
}
