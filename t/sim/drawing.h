/* How the steps of a history are drawn: what the files of that share. */
#ifndef SIM_DRAWING_H
#define SIM_DRAWING_H

#include "history.h"

#define SIM_TAGS 256 /* of one table */

/* How a history differs from others, in percent unless said otherwise: what is
 * rare in most is common in some. */
typedef struct sim_style_t {
    const char *name;
    int keys;     /* that applications give: so many */
    int last;     /* rows that are mostly meant: the last so many */
    int replaces; /* inserts that are REPLACE */
    int again;    /* deletes after which the key is given again (keys=shared) */
    int bursts;   /* updates that soon follow each other, of the same columns */
    int inserts, updates, deletes; /* of the statements; the rest are swaps */
    int lies;                      /* mishaps that are lies */
    int odd;                       /* steps of operators and hosts */
    int clocks;                    /* of these: clocks */
    int restores;                  /* whole histories, with restores */
    int moves;   /* updates that change the key, in odd histories */
    int columns; /* columns that an update changes */
    int lates;   /* mishaps that are late requests; 0: as other mishaps */
    int limits;  /* exchanges where large bodies are refused, in odd histories
                  */
} sim_style_t;

typedef struct sim_draw_t {
    sim_history_t *history;
    const sim_style_t *style;
    const sim_schema_t *schema;
    sim_random_t random;
    apr_pool_t *pool;
    int words; /* unique values given so far */
    int tags[SIM_TABLES];
    struct {
        const char *unique; /* its unique value, as far as is known */
    } known[SIM_TABLES][SIM_TAGS];
    const char *again;   /* the key of the next row; NULL: any */
    const char *pair[2]; /* the same, if it is references: their tags */
    int level;           /* how odd the history is: 0 to 3 */
    int restores;
    int saved;       /* the node whose database is to be restored, -1: none */
    sim_step_t drop; /* the last SIM_DROP, or of another kind: none */
} sim_draw_t;

/* Return a number from 0 to COUNT - 1. */
int sim_draw_below(sim_draw_t *draw, int count);

/* Return 1 in PERCENT of all cases. */
int sim_draw_chance(sim_draw_t *draw, int percent);

/* Add a step of KIND at NODE. */
sim_step_t *sim_draw_step(sim_draw_t *draw, sim_step_e kind, int node);

/* Add a statement of an application, or several. */
void sim_draw_statement(sim_draw_t *draw, int node, int session);

#endif
