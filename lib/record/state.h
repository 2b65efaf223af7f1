/* Merging states: the arithmetic of convergence, without a database.
 *
 * A state says, per column, a value and the clock of its last change, or that
 * the record is deleted. cm_state_join() is the join of a semilattice:
 * commutative, associative, idempotent. So messages may come repeated, late
 * and in any order, and every node ends with the same record. */
#ifndef CM_RECORD_STATE_H
#define CM_RECORD_STATE_H

#include "record/clocks.h"
#include "record/message.h"

/* One column. A value of CM_ABSENT says nothing, and has no clock. */
typedef struct cm_field_t {
    cm_value_t value; /* alike on every node: canonical; of a reference the
                         identity of the record that it refers to */
    apr_int64_t clock;
    const cm_attribute_t *source; /* of the message that it came with; NULL:
                                     it stands in the record here */
    int dangling; /* it stands here, and refers to no record that is here */
} cm_field_t;

typedef struct cm_state_t {
    int count; /* columns, in the order of the table */
    cm_field_t *fields;
    apr_int64_t clock;      /* the newest */
    apr_int64_t deleted_at; /* clock of the delete; 0: alive. A deleted
                               record has no fields that say anything */
} cm_state_t;

/* Return a state of COUNT columns that says nothing, or a copy. */
cm_state_t *cm_state_create(int count, apr_pool_t *pool);
cm_state_t *cm_state_copy(const cm_state_t *state, apr_pool_t *pool);

/* Let STATE say all that INCOMING says, too: per column the newer clock wins,
 * on equal clocks the greater value; deleted wins over all. Return whether
 * that changed STATE. */
int cm_state_join(cm_state_t *state, const cm_state_t *incoming);

/* A message without clocks (a gem's): give the fields of INCOMING that differ
 * from STATE the clock NOW, and drop those that do not. */
void cm_state_stamp(cm_state_t *incoming, const cm_state_t *state,
                    apr_int64_t now);

/* Return whether the sender of INCOMING did not know what column FIELD of
 * STATE says: that is another value, newer than BASE, the clock that the
 * column had there before. */
int cm_state_conflicts(const cm_state_t *state, const cm_state_t *incoming,
                       int field, apr_int64_t base);

/* Return whether field A would win over B. */
int cm_state_field_wins(const cm_field_t *a, const cm_field_t *b);

#endif
