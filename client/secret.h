/* The password for a peer, from where only we can read it. */
#ifndef SECRET_H
#define SECRET_H

#include "base/error.h"
#include "config/settings.h"

/* Read the password for PEER: $CREDENTIALS_DIRECTORY/NAME-OF-PEER or
 * $CREDENTIALS_DIRECTORY/password (systemd), else its password-file=, of which
 * the first line counts. Fails with CM_CONFIG when there is none, or others
 * than its owner may read the file; with CM_FILE. */
cm_error_t *sync_secret_read(const char **password,
                             const cm_peer_settings_t *peer,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
