/* MariaDB and MySQL: rows found by lists of keys. Joining the rows given, as
 * the other databases do, costs there as much as the work itself. For
 * bulk_chunk.c and bulk.c only. */
#ifndef CM_STORE_BULK_LISTS_H
#define CM_STORE_BULK_LISTS_H

#include "store/internal.h"

/* Say whether the rows of BULK are found by one integer each, and are short
 * enough to be written into the text of a statement, which the database takes
 * up to PACKET_LIMIT bytes of (0: no limit). */
int cm_bulk_lists_can_update(const cm_bulk_t *bulk, apr_size_t packet_limit);

/* Return the keys of CHUNK, which are integers, with commas between. */
const char *cm_bulk_lists_numbers(const cm_bulk_chunk_t *chunk,
                                  apr_pool_t *pool);

/* Return assignments that pick a row's values by the place of its key, for
 * the arguments of cm_bulk_lists_arguments(). */
const char *cm_bulk_lists_assignments(const cm_bulk_chunk_t *chunk,
                                      apr_pool_t *pool);

/* Return the values, column by column, one of those that are the same in all
 * rows; *COUNT of them. */
const cm_datum_t *cm_bulk_lists_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool);

#endif
