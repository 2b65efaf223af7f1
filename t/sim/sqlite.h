/* What stands between libapr's driver and SQLite: its functions that are
 * defined here come before those of the library.
 *
 * Statements are kept prepared, since parsing them took most of the time. And
 * a process can end at any statement: from there on nothing that it asks is
 * done. What its connection had not committed is rolled back when it is
 * closed. */
#ifndef SIM_SQLITE_H
#define SIM_SQLITE_H

/* Let SQLite do without locks for threads; before its first use. */
void sim_sqlite_begin(void);

/* Let the process at NODE be gone at its statement NUMBER from now on; AFTER:
 * that statement is still done, but its answer is lost. */
void sim_sqlite_gone_at(int node, int number, int after);

/* Return whether the process at NODE is gone. */
int sim_sqlite_is_gone(int node);

/* Another process begins. Returns whether one was gone. */
int sim_sqlite_gone_end(void);

#endif
