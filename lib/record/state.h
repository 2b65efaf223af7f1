/* Merging two states of a record, without a database.
 *
 * A state has a value and the clock of its last change for each column, or says
 * that the record is deleted. cm_state_join() is the join of a semilattice:
 * commutative, associative, idempotent. So messages may arrive repeatedly, late
 * and in any order, and every node ends up with the same record
 * (docs/convergence.md). */
#ifndef CM_RECORD_STATE_H
#define CM_RECORD_STATE_H

#include "record/clocks.h"
#include "record/message.h"

/* One column. If the value is CM_ABSENT, the column is not known. */
typedef struct cm_field_t {
    cm_value_t value; /* the same on every node: canonical; of a reference
                         the identity of the record that it refers to */
    apr_int64_t clock;
    const cm_attribute_t *source; /* of the message that it came with; NULL: it
                                     is the value of the record here */
    /* of a reference, if another column names its model: what that one has; it
     * has no field of its own. NULL: none */
    const cm_value_t *name;
    int dangling; /* a value here that refers to a record that is not here, or
                     one in a message, to a record that is deleted */
} cm_field_t;

typedef struct cm_state_t {
    int count; /* columns, in the order of the table */
    cm_field_t *fields;
    apr_int64_t clock;      /* the newest */
    apr_int64_t elsewhere;  /* of columns that are not here, the newest that was
                               received; 0: none was */
    apr_int64_t deleted_at; /* clock of the delete; 0: alive. All fields of a
                               deleted record are absent */
} cm_state_t;

/* Return a state of COUNT absent columns, or a copy of STATE. */
cm_state_t *cm_state_create(int count, apr_pool_t *pool);
cm_state_t *cm_state_copy(const cm_state_t *state, apr_pool_t *pool);

/* Make STATE as cm_state_create() returns it. */
void cm_state_clear(cm_state_t *state);

/* Merge INCOMING into STATE: in each column the newer clock wins, at equal
 * clocks the greater value; a delete wins over all. Return whether that changed
 * STATE. */
int cm_state_join(cm_state_t *state, const cm_state_t *incoming);

/* For a gem's message, which has no clocks: give the fields of INCOMING that
 * differ from STATE the clock NOW, and make those that do not absent. */
void cm_state_stamp(cm_state_t *incoming, const cm_state_t *state,
                    apr_int64_t now);

/* Return whether the sender of INCOMING had not received the value of column
 * FIELD in STATE: it differs, and is newer than BASE, the clock that the column
 * had at the sender before the change. */
int cm_state_conflicts(const cm_state_t *state, const cm_state_t *incoming,
                       int field, apr_int64_t base);

/* Return whether field A would win over B. */
int cm_state_field_wins(const cm_field_t *a, const cm_field_t *b);

/* Return whether A and B have different values. */
int cm_state_field_differs(const cm_field_t *a, const cm_field_t *b);

#endif
