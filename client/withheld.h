/* Messages of this node that a peer does not get, in a person's hands: the part
 * of the commands parked, retry and discard that is about them. */
#ifndef WITHHELD_H
#define WITHHELD_H

#include "outbox/withheld.h"
#include "command.h"

struct json_object;

/* How a message is named on the command line: "12", or "sent:12" for one of
 * this node's own, where "12" would mean a parked one of the peer. */
typedef struct sync_word_t {
    apr_int64_t id;
    int sent;
} sync_word_t;

/* Read the words PEER ID... of the command line: WORDS gets sync_word_t. Fails
 * with CM_USAGE. */
cm_error_t *sync_withheld_read_words(const cm_peer_settings_t **peer,
                                     apr_array_header_t **words,
                                     const sync_client_t *client,
                                     apr_pool_t *pool) CM_UNUSED_RESULT;

/* Divide WORDS by what they mean: PARKED and WITHHELD get apr_int64_t. */
cm_error_t *sync_withheld_divide_words(apr_array_header_t **parked,
                                       apr_array_header_t **withheld,
                                       const apr_array_header_t *words,
                                       const sync_client_t *client,
                                       const char *peer,
                                       apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append what is held back in ROWS (cm_withheld_t) to the JSON array ALL. */
void sync_withheld_json(struct json_object *all, const apr_array_header_t *rows,
                        apr_pool_t *pool);

/* Print ROWS as a table, and what a person can do. */
void sync_withheld_table(const sync_client_t *client,
                         const apr_array_header_t *rows, apr_pool_t *pool);

/* Publish the records of what is held back from PEER as SEQS (apr_int64_t), or
 * (NULL) of all that is; *PUBLISHED counts them. */
cm_error_t *sync_withheld_send(apr_int64_t *published,
                               const sync_client_t *client, const char *peer,
                               const apr_array_header_t *seqs,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
