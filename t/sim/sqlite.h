/* What stands between libapr's driver and SQLite: its functions that are
 * defined here come before those of the library.
 *
 * Statements are kept prepared, since parsing them took most of the time.
 * Databases say that they have a write-ahead log, but need none. And a process
 * can end at any statement (gone.h): from there on nothing that it asks is
 * done. What its connection had not committed is rolled back when another
 * process begins. */
#ifndef SIM_SQLITE_H
#define SIM_SQLITE_H

/* Let SQLite do without locks for threads; before its first use. */
void sim_sqlite_begin(void);

/* Another process has CONNECTION (sqlite3 *) now: what the last one had begun
 * is rolled back, and its statements are nobody's. */
void sim_sqlite_leave(void *connection);

#endif
