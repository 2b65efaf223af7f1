/* MariaDB and MySQL: rows found by lists of keys. Joining the rows given, as
 * for the other databases, would cost as much there as the update itself. For
 * bulk_chunk.c and bulk.c only. */
#ifndef CM_STORE_BULK_LISTS_H
#define CM_STORE_BULK_LISTS_H

#include "store/internal.h"

/* Return whether each row of BULK is found by one integer, and all are short
 * enough for the text of a statement, of which the database accepts
 * PACKET_LIMIT bytes (0: no limit). */
int cm_bulk_lists_can_update(const cm_bulk_t *bulk, apr_size_t packet_limit);

/* Return the keys of CHUNK, which are integers, separated by commas. */
const char *cm_bulk_lists_numbers(const cm_bulk_chunk_t *chunk,
                                  apr_pool_t *pool);

/* Return assignments that choose the values of a row by the place of its key in
 * the list. Their arguments are those of cm_bulk_lists_arguments(). */
const char *cm_bulk_lists_assignments(const cm_bulk_chunk_t *chunk,
                                      apr_pool_t *pool);

/* Return *COUNT values, column by column; one for a column that is the same in
 * all rows. */
const cm_datum_t *cm_bulk_lists_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool);

#endif
