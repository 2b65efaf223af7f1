/* A world: some nodes, a history that happens to them, and what the
 * applications did there, as plain SQL has seen it. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "rows.h"

/* What a committed statement of an application did to one row. */
typedef enum sim_event_e {
    SIM_EVENT_INSERT,
    SIM_EVENT_UPDATE,
    SIM_EVENT_KEY,  /* the row has another key now: it is another record */
    SIM_EVENT_MOVE, /* the same where it stays the same record */
    SIM_EVENT_NAME, /* its value of match= is AFTER now; NAME: before */
    SIM_EVENT_DELETE
} sim_event_e;

typedef struct sim_event_t {
    sim_event_e kind;
    int node, table;
    const char *name;
    int column;    /* SIM_EVENT_UPDATE; SIM_COLUMNS: the tag */
    int statement; /* what one statement did has the same number */
    const char *before, *after;
    const sim_row_t *row; /* as it is, or was before a delete; NULL: not known
                           */
    const char *was;  /* SIM_EVENT_INSERT: what the row was called, if it was
                         there: by match=; else NULL */
    int renamed;      /* SIM_EVENT_DELETE: the row has another key now */
    unsigned dangled; /* SIM_EVENT_DELETE of a row that the same statement
                         had inserted: in which columns it referred to
                         nothing, bits */
} sim_event_t;

/* A record that waits at some node. */
typedef struct sim_waiting_t {
    int table;
    const char *name;
} sim_waiting_t;

/* A message that a person has discarded. */
typedef struct sim_discarded_t {
    sim_waiting_t record;
    int node;      /* where */
    int at;        /* how many events there were by then */
    int is_update; /* of a row that is there */
} sim_discarded_t;

typedef struct sim_world_t {
    sim_schema_t *schema;
    sim_history_t *history;
    int next; /* step to play */
    sim_node_t nodes[SIM_NODES];
    apr_array_header_t *events;          /* sim_event_t */
    apr_array_header_t *rows[SIM_NODES]; /* as last seen; NULL: not known */
    apr_array_header_t *pending[SIM_NODES][SIM_SESSIONS];
    apr_array_header_t *late; /* requests that arrive later: wire.c */
    apr_table_t *decided;     /* conflicts that a person has decided */
    apr_table_t *asked;       /* what one was asked in the end: the node */
    apr_table_t *keeps;       /* rows kept against deletes in the end: times */
    int restored;             /* bits: the nodes whose database was restored */
    int restored_at;          /* how many events there were by then */
    int renewed;              /* bits: those of them with a new epoch */
    int stale; /* bits: those that have not begun a new history yet: what they
                  number may get the identity of a record that they have lost, a
                  known limit */
    apr_array_header_t *kept[SIM_NODES]; /* sim_waiting_t: rows that had no
                                            identity when it was saved */
    int strangers;  /* bits: the links whose nodes must refuse each other */
    int limited;    /* messages may have been withheld */
    int altered;    /* columns were dropped */
    int paused;     /* bits: nodes that have been paused */
    int purged;     /* bits: nodes that have purged */
    int jumped;     /* clocks do not tell what was earlier */
    int crowded;    /* two runs are at work at once */
    unsigned stops; /* bits: nodes that stop at what they cannot apply */
    int asks;       /* the last run ended at a message for a person */
    apr_array_header_t *spread;    /* sim_waiting_t: rows that another node had
                                      when one was restored */
    apr_array_header_t *discarded; /* sim_discarded_t */
    apr_array_header_t *outlived;  /* sim_outlived_t: outlived.h */
    apr_array_header_t *unknown;   /* sim_waiting_t: names of rows of two nodes
                                      that were not known to be one: names.h */
    apr_array_header_t *withheld;  /* sim_withheld_t: what a purge may have
                                      forgotten: withheld.h */
    apr_array_header_t *revived;   /* sim_waiting_t: deleted, and kept here */
    int denied;                    /* a peer was refused because of that */
    int verbose;
    const char *failure; /* one word for its kind, then what; NULL: well */
    apr_pool_t *pool;    /* of the history */
    apr_pool_t *step_pool;
} sim_world_t;

/* Note that something is wrong, unless something was before; KIND is one word.
 */
void sim_world_fail(sim_world_t *world, const char *kind, const char *format,
                    ...) __attribute__((format(printf, 3, 4)));

/* Do the same for ERR, what DOING it failed with. NULL is no failure; neither
 * is a busy database. Returns whether ERR is NULL. */
int sim_world_must(sim_world_t *world, const char *doing,
                   const cm_error_t *err);

/* The process at NODE has ended: another one begins. */
void sim_world_reopen(sim_world_t *world, int node);

/* Play the whole history in a world made for it, let it come to rest, and judge
 * it: world->failure says what is wrong. */
void sim_world_run(sim_world_t *world);

#endif
