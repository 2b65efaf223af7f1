/* Questions of one side about records, and the answers of the other
 * (docs/wire.md, "Verifying"). Only CM_ASK_PUBLISH and CM_ASK_REVIVE
 * change anything. */
#ifndef CM_VERIFY_WIRE_H
#define CM_VERIFY_WIRE_H

#include "verify/verify.h"

typedef enum cm_ask_e {
    CM_ASK_SHAPE,   /* what the model is there */
    CM_ASK_PARTS,   /* a digest for each part of a stretch */
    CM_ASK_ITEMS,   /* a digest for each record of a stretch */
    CM_ASK_STATES,  /* the values of some records */
    CM_ASK_PUBLISH, /* publish some records again */
    CM_ASK_REVIVE   /* publish rows as new records whose deletes are parked */
} cm_ask_e;

typedef struct cm_verify_question_t {
    cm_ask_e ask;
    const char *model;
    int brief; /* SHAPE: only what is configured, and the columns */
    const apr_array_header_t *columns; /* cm_verify_column_t: name, like */
    const char *origin, *after;
    const apr_array_header_t *bounds; /* const char *: where the parts end,
                                         NULL: no end; for ITEMS only one */
    const apr_array_header_t *names;  /* cm_identity_t */
} cm_verify_question_t;

/* What was not asked for is NULL or 0. */
typedef struct cm_verify_answer_t {
    cm_verify_shape_t *shape;
    apr_array_header_t *parts;  /* cm_verify_part_t */
    apr_array_header_t *items;  /* cm_verify_item_t */
    apr_array_header_t *states; /* cm_verify_state_t: not always all */
    const char *until; /* PARTS, ITEMS: there were too many records, and the
                          last part ends here; NULL: this is all */
    apr_int64_t published;
} cm_verify_answer_t;

/* Write QUESTION to BUFFER, or read the one in TEXT. Reading fails with
 * CM_MALFORMED. */
void cm_verify_wire_write_question(cm_buffer_t *buffer,
                                   const cm_verify_question_t *question);
cm_error_t *cm_verify_wire_read_question(cm_verify_question_t **question,
                                         const char *text, apr_size_t size,
                                         apr_pool_t *pool) CM_UNUSED_RESULT;

/* Write ANSWER to BUFFER, or read the one in TEXT, to a question about COLUMNS
 * columns. Reading fails with CM_MALFORMED. */
void cm_verify_wire_write_answer(cm_buffer_t *buffer,
                                 const cm_verify_answer_t *answer, int columns);
cm_error_t *cm_verify_wire_read_answer(cm_verify_answer_t **answer,
                                       const char *text, apr_size_t size,
                                       int columns,
                                       apr_pool_t *pool) CM_UNUSED_RESULT;

/* Answer QUESTION of PEER, only about what is sent to it. Fails with
 * CM_NOT_FOUND when there is no such model, or it is only received; with
 * CM_MALFORMED when a column is not sent; and as what it does. */
cm_error_t *cm_verify_answer(cm_verify_answer_t **answer, cm_node_t *node,
                             const char *peer,
                             const cm_verify_question_t *question,
                             apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
