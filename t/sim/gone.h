/* A process that ends at some statement, or its connection to the database:
 * what stands before the databases' libraries (sqlite.c, session.c) asks here
 * at each statement. */
#ifndef SIM_GONE_H
#define SIM_GONE_H

typedef enum sim_gone_e {
    SIM_GONE_NOT,
    SIM_GONE_AFTER, /* this statement is done, but its answer is lost */
    SIM_GONE_NOW    /* it is not done */
} sim_gone_e;

/* Let the process at NODE be gone at some statement from here: NUMBER says at
 * which, and whether that is still done. With MAY_LIVE it is, for some NUMBER,
 * only the connection that ends. */
void sim_gone_begin(int node, int number, int may_live);

/* Count a statement of NODE. Returns what is to become of it; after
 * SIM_GONE_AFTER, too, the connection is gone. */
sim_gone_e sim_gone_next(int node);

/* Return whether the process at NODE is gone. */
int sim_gone_is(int node);

/* The process at NODE makes a connection. Returns whether it needs one because
 * the last is gone. */
int sim_gone_mend(int node);

/* From now on nothing is gone. Returns whether another process must begin: one
 * was gone, or has no connection. */
int sim_gone_end(void);

#endif
