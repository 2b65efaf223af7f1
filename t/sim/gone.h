/* Processes that end at any statement: from there on nothing that they ask of
 * SQLite is done. What their connection had not committed is rolled back when
 * it is closed. */
#ifndef SIM_GONE_H
#define SIM_GONE_H

/* Let the process at NODE be gone at its statement NUMBER from now on; AFTER:
 * that statement is still done, but its answer is lost. */
void sim_gone_at(int node, int number, int after);

/* Return whether the process at NODE is gone. */
int sim_gone(int node);

/* Another process begins. Returns whether one was gone. */
int sim_gone_end(void);

#endif
