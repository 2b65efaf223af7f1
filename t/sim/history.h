/* A history: a list of steps, made from the seed alone and never from what a
 * database answered, so that any of them can be left out. */
#ifndef SIM_HISTORY_H
#define SIM_HISTORY_H

#include <apr_tables.h>

#include "schema.h"

typedef enum sim_step_e {
    SIM_INSERT,
    SIM_REPLACE, /* PostgreSQL: INSERT ... ON CONFLICT DO UPDATE */
    SIM_UPDATE,
    SIM_DELETE,
    SIM_BEGIN,
    SIM_COMMIT,
    SIM_ROLLBACK,
    SIM_SYNC,    /* both directions between NODE and PEER, which it calls */
    SIM_PUSH,    /* from NODE to PEER */
    SIM_PULL,    /* from PEER to NODE */
    SIM_CLOCK,   /* the clock of NODE is wrong by NUMBER */
    SIM_PUBLISH, /* all of TABLE at NODE */
    SIM_PURGE,
    SIM_RETRY,
    SIM_DISCARD, /* the first message that is parked */
    SIM_DECIDE,  /* about the first conflict that waits for a person */
    SIM_REVIVE,  /* the first record whose delete is parked, or was discarded */
    SIM_PAUSE,   /* NUMBER: pause or resume */
    SIM_VERIFY,  /* PEER, with --repair; NUMBER: --from, -1: neither */
    SIM_ALTER,   /* TABLE gets one more column, named by NUMBER */
    SIM_DROP,    /* TABLE loses column NUMBER, or gets it again */
    SIM_UNREAD,  /* what is captured of new rows of TABLE only names these, as
                    a trigger of MariaDB does with what is too large for it */
    SIM_REOPEN,  /* the process at NODE ends, another one begins */
    SIM_MIGRATE,
    SIM_SAVE,   /* a backup of the database of NODE */
    SIM_RESTORE /* from the last one; NUMBER: sim_restore_e */
} sim_step_e;

/* What the operator does at once after a restore. The rest comes when a peer
 * has refused the node, or never. */
typedef enum sim_restore_e {
    SIM_RESTORE_ONLY,
    SIM_RESTORE_NEW,  /* epoch --new there, and no more */
    SIM_RESTORE_GUIDE /* all that the guide says */
} sim_restore_e;

/* One value for a column; what it is at the beginning of TEXT, SQL else. */
typedef struct sim_cell_t {
    int column;       /* of the table; SIM_KEY, SIM_TAG */
    const char *text; /* SQL; NULL: the key of the row of PARENT with TAG */
    int parent;
    const char *tag;
} sim_cell_t;

#define SIM_CELL_KEY (-1)
#define SIM_CELL_TAG (-2)
#define SIM_ROWS     4

/* What happens to one request of a run, or to the run. */
typedef enum sim_mishap_e {
    SIM_MISHAP_NONE,
    SIM_MISHAP_REQUEST,     /* it is lost */
    SIM_MISHAP_REPLY,       /* its reply is lost */
    SIM_MISHAP_TWICE,       /* it arrives twice */
    SIM_MISHAP_LATE,        /* it arrives behind later ones; no reply */
    SIM_MISHAP_CUT_REQUEST, /* its body ends early */
    SIM_MISHAP_CUT_REPLY,
    SIM_MISHAP_GONE_CALLEE, /* the server's process ends at some statement */
    SIM_MISHAP_GONE_CALLER, /* the caller's process does */
    SIM_MISHAP_LIE,         /* before it one arrives that is not true */
    SIM_MISHAP_LIE_REPLY,   /* its reply is not true */
    SIM_MISHAP_BESIDE,      /* another run begins at some statement */
    SIM_MISHAP_STOP,        /* a signal ends the run after some batches */
    SIM_MISHAPS
} sim_mishap_e;

typedef struct sim_step_t {
    sim_step_e kind;
    int node, session;
    int table;
    int rows;                            /* SIM_INSERT, SIM_REPLACE */
    apr_array_header_t *cells[SIM_ROWS]; /* sim_cell_t */
    const char *where;
    int peer, limit;
    int bytes;      /* of a batch; 0: the default */
    int most_bytes; /* of a body, else it is refused; 0: the default */
    int packs;      /* bodies, both ways */
    sim_mishap_e mishap;
    int mishap_at;     /* which request, or batch */
    int mishap_number; /* 0 to 199: which statement, how much of a body */
    apr_int64_t number;
    int gone; /* left out by shrinking */
} sim_step_t;

typedef struct sim_history_t {
    apr_uint64_t seed;
    const sim_schema_t *schema;
    apr_array_header_t *steps; /* sim_step_t */
} sim_history_t;

/* Make the history of SEED: COUNT steps, more or less; in STYLE, or NULL: as
 * the seed wants it. */
void sim_history_make(sim_history_t *history, const sim_schema_t *schema,
                      apr_uint64_t seed, int count, const char *style,
                      apr_pool_t *pool);

/* Return whether NAME is that of a style, or of a scene. */
int sim_history_has_style(const char *name);

/* Return whether SCHEMA allows histories in STYLE: scenes need some. */
int sim_history_fits(const char *style, const sim_schema_t *schema);

/* Return STEP as SQL, or NULL when it has none, or nothing is left of it. */
const char *sim_history_sql(const sim_schema_t *schema, const sim_step_t *step,
                            apr_pool_t *pool);

/* Return STEP in words for a person. */
const char *sim_history_words(const sim_schema_t *schema,
                              const sim_step_t *step, apr_pool_t *pool);

#endif
