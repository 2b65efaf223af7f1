/* The disk of the simulated nodes: the files of SQLite stand in memory, and its
 * connections, all of this process, lock them there. So no statement needs the
 * system. */
#ifndef SIM_DISK_H
#define SIM_DISK_H

#include <stddef.h>

/* Let LIBRARY, SQLite, keep its files here; before its first use. */
void sim_disk_begin(void *library);

/* Return the SIZE bytes of the file PATH, which stay as they are until the file
 * is written to; NULL: there is none. */
const unsigned char *sim_disk_read(size_t *size, const char *path);

/* Let the file PATH hold the SIZE bytes of DATA. Nobody must be in a
 * transaction. */
void sim_disk_write(const char *path, const unsigned char *data, size_t size);

/* Remove the file PATH and its journal, which nobody has open. */
void sim_disk_remove(const char *path);

#endif
