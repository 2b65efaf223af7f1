/* A message: one change of one record, as stored and as sent (docs/wire.md). */
#ifndef CM_RECORD_MESSAGE_H
#define CM_RECORD_MESSAGE_H

#include "base/buffer.h"
#include "store/store.h"
#include "schema/table.h"
#include "record/clocks.h"
#include "record/identity.h"

/* More columns than this no table can have (SQLite's limit), so no message has
 * more attributes, references or clocks. */
#define CM_COLUMNS_MOST 32767

/* No message has a greater number: a peer that sent one could move the cursor
 * beyond all later messages, and other JSON readers do not represent greater
 * numbers exactly. */
#define CM_SEQ_MAX (APR_INT64_C(1) << 53)

typedef enum cm_action_e {
    CM_CREATE,
    CM_UPDATE,
    CM_DELETE
} cm_action_e;

/* How a person decides a conflict: communicator-sync retry. */
typedef enum cm_decision_e {
    CM_DECIDE_NOT, /* not yet: with conflict=hold it stays parked */
    CM_DECIDE_THEIRS,
    CM_DECIDE_OURS,
    CM_DECIDE_REVIVE /* of a delete: the row here becomes a new record */
} cm_decision_e;

/* Behind the name of a column in a base: the clock of the other value that was
 * known to whoever decided a conflict of this column. */
#define CM_BASE_SEEN "\x1f"

/* One attribute of the record. */
typedef struct cm_attribute_t {
    const char *name;
    cm_value_t value;
    const char *reference_model; /* refs: NULL when it refers to nothing */
    int dangles; /* what it refers to is not here: VALUE is null */
    cm_identity_t reference;
} cm_attribute_t;

typedef struct cm_message_t {
    apr_int64_t id;    /* the sender's seq; 0: none or not a number */
    const char *model; /* the one key of the body */
    cm_identity_t identity;
    cm_action_e action;        /* gem: CM_UPDATE */
    cm_identity_t counterpart; /* where a key was changed: of a new record, the
                                  one that it continues, whose clock was BASE;
                                  of a delete, the one that continues it. Or
                                  NULL */
    int from_gem;              /* no clock: stamped on arrival */
    int recast;                /* a gem's: what it wrote here is not what its
                                  body says */
    cm_clocks_t clocks;
    int has_base;
    cm_clocks_t base; /* the clocks of the changed columns before the change: a
                         newer change here is a conflict */
    apr_array_header_t *attributes; /* cm_attribute_t; NULL when malformed */
    const char *text; /* the whole element as it was received, for the inbox: a
                         part of the text read; with an error NUL-terminated */
    apr_size_t text_size;
    const char *body; /* the body string */
    apr_size_t body_size;
    cm_error_t *error; /* why it cannot be read; such a message is parked */
} cm_message_t;

/* Read a batch: an array of messages (*MESSAGES: cm_message_t *). TEXT must
 * live as long as they do. An element without a clock is a gem's: the other
 * keys that a gem does not know mean nothing in it. A message that cannot be
 * read is in *MESSAGES with its error. Fails with CM_MALFORMED when TEXT is not
 * such an array at all (not JSON, not UTF-8, an element is not an object,
 * nested deeper than 32) or a number in it exceeds CM_SEQ_MAX; with
 * CM_TOO_LARGE when it has more than MOST messages (0: any number), or far more
 * than its SIZE suggests, as {} takes much memory. */
cm_error_t *cm_message_read_batch(apr_array_header_t **messages,
                                  const char *text, apr_size_t size, int most,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read a message from a row: BODY, which must live as long as the message, and
 * the columns clocks, base and refs (NULL: none). The caller has set id,
 * identity, action and clocks.clock (0: from a gem); the rest is filled in.
 * Fails with CM_MALFORMED. */
cm_error_t *cm_message_read_stored(cm_message_t *message, const char *body,
                                   apr_size_t size, const char *clocks,
                                   const char *base, const char *refs,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the columns base and refs of MESSAGE for a row, NULL for none;
 * cm_clocks_list() returns clocks. Rows have the long form of refs, the wire a
 * shorter one (docs/wire.md); and null for what dangles: their bodies have
 * values of this node. */
const char *cm_message_write_base(const cm_message_t *message,
                                  apr_pool_t *pool);
const char *cm_message_write_refs(const cm_message_t *message,
                                  apr_pool_t *pool);

/* Write {"model":{...}} with ATTRIBUTES (cm_attribute_t) except absent ones. */
void cm_message_write_body(cm_buffer_t *buffer, const char *model,
                           const apr_array_header_t *attributes);

/* Write MESSAGE as the next element of the batch in BUFFER, which begins empty;
 * the caller closes the array. With GEM only what a gem knows is written. */
void cm_message_write(cm_buffer_t *buffer, const cm_message_t *message,
                      int gem);

/* Return the name of ACTION on the wire and in the tables, or read NAME
 * (returns 0 if it is none). */
const char *cm_message_action_name(cm_action_e action);
int cm_message_action_read(cm_action_e *action, const char *name);

/* Return the action of a message that names none: an update, if it has a base.
 */
cm_action_e cm_message_action_usual(const cm_message_t *message);

/* Return whether MESSAGE is parked because of its clock (CM_CLOCK_AHEAD), where
 * HERE is the newest clock of its record (0: there is none) and NOW is
 * cm_clock_now(). A person may have taken it nevertheless. */
int cm_message_is_ahead(const cm_message_t *message, apr_int64_t here,
                        apr_int64_t now);

#endif
