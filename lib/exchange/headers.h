/* What both sides say of themselves in headers (docs/wire.md): numbers, and
 * how far each has come with the other's messages. */
#ifndef CM_EXCHANGE_HEADERS_H
#define CM_EXCHANGE_HEADERS_H

#include <apr_tables.h>

#include "node/epoch.h"

/* The hint when they are missing. */
#define CM_HEADERS_REMEDY                                                      \
    "a proxy in between removes headers that begin with 'Communicator-': let " \
    "it pass them on"

/* Set the header NAME to NUMBER. */
void cm_headers_set(apr_table_t *headers, const char *name, apr_int64_t number);

/* Set the headers that say which history of PEER we know. */
void cm_headers_set_history(apr_table_t *headers, const cm_peer_t *peer);

/* Return the number in header NAME, from 0 to MOST; -1 when it is not there, or
 * is something else: then *WRONG, if it is NULL, becomes NAME. */
apr_int64_t cm_headers_number(const apr_table_t *headers, const char *name,
                              apr_int64_t most, const char **wrong);

/* Return what HEADERS say about the sender's history; *WRONG as above. */
cm_claim_t cm_headers_claim(const apr_table_t *headers, const char **wrong);

#endif
