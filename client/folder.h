/* The folders in which runs keep files: CommunicatorStateDir and
 * CommunicatorRunDir.
 *
 * Files that root makes there get the folder's owner and mode, so that a run by
 * root does not lock other users out. When the folder cannot be written, a
 * private one in TMPDIR (/tmp) is used instead: runs go on, and a problem is
 * still reported once, not at every run. */
#ifndef FOLDER_H
#define FOLDER_H

#include "base/error.h"

/* Return the folder to use for the CONFIGURED one, which is made if necessary:
 * itself, or the one used instead. When neither can be written, it is the
 * configured one. */
const char *sync_folder_of(const char *configured, apr_pool_t *pool);

/* Return the folder used instead of the CONFIGURED one, or NULL when there is
 * none. With MAKE it is made. */
const char *sync_folder_spare(const char *configured, int make,
                              apr_pool_t *pool);

/* Fail with CM_FILE when the CONFIGURED folder cannot be written by this user;
 * DIRECTIVE names it. */
cm_error_t *sync_folder_check(const char *configured, const char *directive,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Open the file PATH in such a folder, to be locked; it is made if necessary.
 * Returns -1 with errno. */
int sync_folder_open(const char *path);

/* Give the new file FD at PATH the owner and the mode of its folder. */
void sync_folder_give(int fd, const char *path);

#endif
