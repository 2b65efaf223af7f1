/* SQL whose literals are parameters: statements that differ in their values
 * only are the same then, and SQLite need not parse them again. */
#ifndef SIM_LITERALS_H
#define SIM_LITERALS_H

#include <stddef.h>

/* More literals than this are left where they are. */
#define SIM_LITERALS 400

typedef struct sim_literal_t {
    const char *text; /* NULL: a number */
    int size;
    long long number;
} sim_literal_t;

typedef struct sim_literals_t {
    char *sql; /* with a ? for each; ends with a NUL */
    size_t size;
    int count;
    sim_literal_t values[SIM_LITERALS];
} sim_literals_t;

/* Take the texts and whole numbers out of the SIZE bytes of SQL, which is in
 * SQLite's grammar. Returns NULL if they have to stay: there are none, too
 * many, or parameters. The result is good until the next call. */
const sim_literals_t *sim_literals_take(const char *sql, size_t size);

#endif
