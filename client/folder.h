/* The folders in which runs keep what they need: CommunicatorStateDir and
 * CommunicatorRunDir.
 *
 * What root makes there belongs to the folder's owner and may be read by those
 * who may read the folder, so that a run by root is in nobody's way. Where the
 * folder cannot be written, one of the user's own in TMPDIR (/tmp) serves: runs
 * go on, and a problem is reported once, not at every run. */
#ifndef FOLDER_H
#define FOLDER_H

#include "base/error.h"

/* Return the folder in effect for the CONFIGURED one, making it when it is not
 * there: itself, or what serves instead. When neither can be written, it is
 * the configured one. */
const char *sync_folder_of(const char *configured, apr_pool_t *pool);

/* Return what serves instead of the CONFIGURED folder, or NULL when there can
 * be none. With MAKE it is made. */
const char *sync_folder_spare(const char *configured, int make,
                              apr_pool_t *pool);

/* Fail with CM_FILE when the CONFIGURED folder cannot be written by this user;
 * DIRECTIVE names it. */
cm_error_t *sync_folder_check(const char *configured, const char *directive,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open the file PATH in such a folder to be locked, making it when it is not
 * there; returns -1 with errno. */
int sync_folder_open(const char *path);

/* Give the new file FD at PATH the owner and the mode of its folder. */
void sync_folder_give(int fd, const char *path);

/* Give the SQLite file PATH that root has just made the owner of its folder;
 * what SQLite makes beside it follows. */
void sync_folder_give_database(const char *path);

#endif
