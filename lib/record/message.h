/* A message: one change of one record, as stored and as sent (docs/wire.md). */
#ifndef CM_RECORD_MESSAGE_H
#define CM_RECORD_MESSAGE_H

#include "base/buffer.h"
#include "store/store.h"
#include "schema/table.h"
#include "record/clocks.h"
#include "record/identity.h"

/* Columns that a table has at most (SQLite's own limit): no message has more
 * attributes, references or clocks. */
#define CM_COLUMNS_MOST 32767

/* No message has a greater number: a peer that sent one could let the cursor
 * jump to where no later message comes, and JSON's readers elsewhere count no
 * further exactly. */
#define CM_SEQ_MAX (APR_INT64_C(1) << 53)

typedef enum cm_action_e {
    CM_CREATE,
    CM_UPDATE,
    CM_DELETE
} cm_action_e;

/* One attribute of the record. */
typedef struct cm_attribute_t {
    const char *name;
    cm_value_t value;
    const char *reference_model; /* refs: NULL when it refers to nothing */
    cm_identity_t reference;
} cm_attribute_t;

typedef struct cm_message_t {
    apr_int64_t id;    /* the sender's seq; 0: none or not a number */
    const char *model; /* the one key of the body */
    cm_identity_t identity;
    cm_action_e action; /* gem: CM_UPDATE */
    int from_gem;       /* no clock: stamped on arrival */
    cm_clocks_t clocks;
    int has_base;     /* the clocks that the changed columns had before: */
    cm_clocks_t base; /* who changed them later has a conflict */
    apr_array_header_t *attributes; /* cm_attribute_t; NULL when malformed */
    apr_hash_t *by_name; /* while it is read, where there are many attributes:
                            name -> cm_attribute_t * */
    const char *text;    /* the whole element as it came, for the inbox:
                            in the text read; NUL-terminated with an error */
    apr_size_t text_size;
    const char *body; /* the body string */
    apr_size_t body_size;
    cm_error_t *error; /* why it cannot be read; such a message is parked */
} cm_message_t;

/* Read a batch: an array of messages. TEXT must live as long as they do. An
 * element without a clock is a gem's: other keys of ours mean nothing in it.
 * A message that cannot be read is in
 * *MESSAGES with its error; CM_MALFORMED means that TEXT is not such an array
 * at all (not JSON, not UTF-8, an element that is not an object, nested deeper
 * than 32), or that a number in it is beyond CM_SEQ_MAX. CM_TOO_LARGE means
 * that it has more messages than its SIZE lets one expect: a message costs more
 * memory than {} has bytes. *MESSAGES: cm_message_t *. */
cm_error_t *cm_message_read_batch(apr_array_header_t **messages,
                                  const char *text, apr_size_t size,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* The same, and fail with CM_TOO_LARGE for more than MOST messages. */
cm_error_t *cm_message_read_some(apr_array_header_t **messages,
                                 const char *text, apr_size_t size, int most,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read again what was stored: BODY and the texts of the columns beside it
 * (NULL: none). The caller has set the message's id, identity, action and
 * clocks.clock (0: it came from a gem); the rest is filled in. Fails with
 * CM_MALFORMED. BODY must live as long as the message. */
cm_error_t *cm_message_read_stored(cm_message_t *message, const char *body,
                                   apr_size_t size, const char *clocks,
                                   const char *base, const char *refs,
                                   apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return what the inbox and the outbox keep of MESSAGE in their columns base
 * and refs, NULL for none; cm_clocks_list() gives clocks. */
const char *cm_message_write_base(const cm_message_t *message,
                                  apr_pool_t *pool);
const char *cm_message_write_refs(const cm_message_t *message,
                                  apr_pool_t *pool);

/* Return the body of a raw capture (a JSON object of raw values) made
 * canonical for the columns of TABLE: {"model":{...}}; *BODY_SIZE its size.
 * Columns that are gone or not carried are left out. */
cm_error_t *cm_message_capture_body(const char **body, apr_size_t *body_size,
                                    const cm_table_t *table, const char *raw,
                                    apr_size_t raw_size,
                                    const cm_dialect_t *dialect,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the raw capture RAW so that it can be read. SQLite takes any bytes
 * for text, and no trigger can tell: strings that are not UTF-8 become what
 * bytes without a type are, {"hex":"00ff"}. */
cm_datum_t cm_message_capture_mend(cm_datum_t raw, const cm_dialect_t *dialect,
                                   apr_pool_t *pool);

/* Read a raw capture (a JSON object of raw values) as canonical attributes
 * (cm_attribute_t), in the order of RAW. Columns of TABLE that are gone or
 * not carried are left out. Fails with CM_MALFORMED. */
cm_error_t *cm_message_capture(apr_array_header_t **attributes,
                               const cm_table_t *table, const char *raw,
                               apr_size_t raw_size, const cm_dialect_t *dialect,
                               apr_pool_t *pool) CM_UNUSED_RESULT;

/* Append {"model":{...}} of ATTRIBUTES (cm_attribute_t), absent ones left
 * out. */
void cm_message_write_body(cm_buffer_t *buffer, const char *model,
                           const apr_array_header_t *attributes);

/* Append MESSAGE to the batch text BUFFER (begins with "[", elements apart by
 * ","; the caller closes it). With GEM only what a gem knows. */
void cm_message_write(cm_buffer_t *buffer, const cm_message_t *message,
                      int gem);

/* Return the action's name on the wire and in the tables; give the action of
 * that NAME, or return 0. */
const char *cm_message_action_name(cm_action_e action);
int cm_message_action_read(cm_action_e *action, const char *name);

/* Return the action that MESSAGE has on the wire when it names none: what
 * changed columns says which clocks they had. */
cm_action_e cm_message_action_usual(const cm_message_t *message);

/* Return the attribute NAME of MESSAGE, or NULL. */
cm_attribute_t *cm_message_attribute(const cm_message_t *message,
                                     const char *name);

#endif
