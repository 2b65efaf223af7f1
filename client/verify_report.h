/* What verify found, for a person or as JSON. */
#ifndef VERIFY_REPORT_H
#define VERIFY_REPORT_H

#include "verify/compare.h"
#include "command.h"

/* Print REPORT about PEER; *STATUS becomes what the command is to exit with,
 * unless it says something worse already. */
void sync_verify_report_show(int *status, const sync_client_t *client,
                             const char *peer, const cm_verify_report_t *report,
                             apr_pool_t *pool);

#endif
