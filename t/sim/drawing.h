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

typedef struct sim_draw_t sim_draw_t;
typedef struct sim_scene_t sim_scene_t;

struct sim_draw_t {
    sim_history_t *history;
    const sim_style_t *style;
    const sim_scene_t *scene; /* or NULL */
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
};

/* Return a number from 0 to COUNT - 1. */
int sim_draw_below(sim_draw_t *draw, int count);

/* Return 1 in PERCENT of all cases. */
int sim_draw_chance(sim_draw_t *draw, int percent);

/* Add a step of KIND at NODE. */
sim_step_t *sim_draw_step(sim_draw_t *draw, sim_step_e kind, int node);

/* Add a statement of an application, or several. */
void sim_draw_statement(sim_draw_t *draw, int node, int session);

/* Insert one row into TABLE at NODE, under a key that is hardly given yet.
 * Returns its tag. */
int sim_draw_row(sim_draw_t *draw, int node, int table);

/* Return the key that the last step gives; and insert a row under KEY; NULL:
 * the database gives it one. */
const char *sim_draw_key(const sim_draw_t *draw);
int sim_draw_row_under(sim_draw_t *draw, int node, int table, const char *key);

/* Let COLUMN of what the last step inserts refer to the row TAG of PARENT. */
void sim_draw_refer(sim_draw_t *draw, int column, int parent, int tag);

/* Let COLUMN of what the last step inserts be TEXT, as SQL. */
void sim_draw_put(sim_draw_t *draw, int column, const char *text);

/* Let COLUMN, a text, of what the last step inserts be as long as it can. */
void sim_draw_long(sim_draw_t *draw, int column);

/* Give the row TAG of TABLE a new value in COLUMN, or another key
 * (SIM_CELL_KEY). */
void sim_draw_change(sim_draw_t *draw, int node, int table, int tag,
                     int column);

/* Give the row TAG of TABLE the value TEXT, SQL, in COLUMN. */
void sim_draw_give(sim_draw_t *draw, int node, int table, int tag, int column,
                   const char *text);

/* Insert a row into TABLE, and one that it must refer to, and that must refer
 * to it. Returns the tag of the first. */
int sim_draw_tied(sim_draw_t *draw, int node, int table);

/* Delete the row TAG of TABLE. */
void sim_draw_end(sim_draw_t *draw, int node, int table, int tag);

/* --- history_scenes.c: steps that together show what chance seldom brings
 * about. The other steps of such a history come between them, and before and
 * after. --- */

/* Return the scene called NAME; or, of those that SCHEMA allows, one that the
 * SEED chooses, which is mostly NULL. */
const sim_scene_t *sim_scene_find(const char *name);
const sim_scene_t *sim_scene_choose(const sim_schema_t *schema,
                                    apr_uint64_t seed);

/* Return whether SCHEMA allows SCENE. */
int sim_scene_fits(const sim_scene_t *scene, const sim_schema_t *schema);

/* Return the style of the other steps. */
const char *sim_scene_style(const sim_scene_t *scene);

/* Add the steps of the scene of DRAW. */
void sim_scene_draw(sim_draw_t *draw);

#endif
