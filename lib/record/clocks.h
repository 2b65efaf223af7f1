/* The clocks of a record: its own, which is the newest, and the older ones of
 * columns that did not change with it. In messages the older ones are a list,
 * each clock before its columns, [1700000000000000,"text","title"], because
 * most columns share one. A base is an object, {"text":1700000000000000}. On
 * the wire both forms occur, and a list has more rules (docs/wire.md). A table
 * of records has columns by number, and how much older they are than the
 * record's clock: "60000000:0-4,7 90000000:5" (or a list, in rows of earlier
 * versions and while a column has no number). */
#ifndef CM_RECORD_CLOCKS_H
#define CM_RECORD_CLOCKS_H

#include <apr_hash.h>

#include "base/error.h"
#include "schema/records.h"

typedef struct cm_clocks_t {
    apr_int64_t clock; /* the newest; 0: unknown, older than all */
    apr_hash_t *older; /* column -> apr_int64_t *; NULL: none */
    /* the clock of the newest change that was received of a column that is not
     * here; 0: as new as CLOCK. In a mapping and the base of a delete */
    apr_int64_t elsewhere;
} cm_clocks_t;

/* Stands for all columns that are not here where clocks are written: in the
 * base of a delete, and in a list. No column has such a name. In a table of
 * records it is number 0. */
#define CM_CLOCKS_ELSEWHERE "\x1f"

/* That of records that were there before Communicator: older than any change.
 */
#define CM_CLOCK_OLDEST 1

/* No clock is greater (the year 38,000): a peer that sent one could make a
 * record unchangeable. */
#define CM_CLOCK_MAX (APR_INT64_C(1) << 60)

/* A message whose clock is further ahead than this of both this host's clock
 * and the record's is parked until that time comes or a person decides: else a
 * host with a wrong clock would win every conflict until then. */
#define CM_CLOCK_AHEAD APR_INT64_C(86400000000)

/* Read CLOCK and TEXT (NULL, "", a list or an object) of a row. Fails with
 * CM_MALFORMED, also when a column's clock is greater than CLOCK (unless that
 * is 0) or a list names a column twice. */
cm_error_t *cm_clocks_read(cm_clocks_t *clocks, apr_int64_t clock,
                           const char *text, apr_pool_t *pool) CM_UNUSED_RESULT;

/* The same, where TEXT must be an object. */
cm_error_t *cm_clocks_read_object(cm_clocks_t *clocks, apr_int64_t clock,
                                  const char *text,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return CLOCKS->older as the list in rows, the newest clock first, or as an
 * object; columns are sorted. NULL when empty. */
const char *cm_clocks_list(const cm_clocks_t *clocks, apr_pool_t *pool);
const char *cm_clocks_text(const cm_clocks_t *clocks, apr_pool_t *pool);

/* Return CLOCKS->older as it stands in the table of RECORDS; NULL when empty.
 */
const char *cm_clocks_pack(const cm_clocks_t *clocks,
                           const cm_records_t *records, apr_pool_t *pool);

/* Read CLOCK and TEXT of a row of the table of RECORDS. Fails with
 * CM_MALFORMED, and with CM_SCHEMA when a column has a number that RECORDS does
 * not know: it was read before that was given. */
cm_error_t *cm_clocks_unpack(cm_clocks_t *clocks, apr_int64_t clock,
                             const char *text, const cm_records_t *records,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the clock of COLUMN. */
apr_int64_t cm_clocks_of(const cm_clocks_t *clocks, const char *column);

/* Return the clock of the columns that are not here. */
apr_int64_t cm_clocks_elsewhere(const cm_clocks_t *clocks);

/* Name COLUMN in BASE, with the CLOCK that it had: BASE->clock is the newest of
 * those that are named. */
void cm_clocks_name(cm_clocks_t *base, const char *column, apr_int64_t clock,
                    apr_pool_t *pool);

/* Return BASE, which names columns, as it stands in a row: a number, if all
 * clocks are equal; else an object. */
const char *cm_clocks_base(const cm_clocks_t *base, apr_pool_t *pool);

/* Set the clock of COLUMN. CLOCKS->clock must be set first: a column with that
 * clock is not among the older ones. */
void cm_clocks_set(cm_clocks_t *clocks, const char *column, apr_int64_t clock,
                   apr_pool_t *pool);

#endif
