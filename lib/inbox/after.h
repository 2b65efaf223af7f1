/* What is done when messages have changed records. The batch that changes them
 * notes it in communicator_after, in its own transaction.
 *
 * CommunicatorAfterApply: each statement has a transaction of its own, which
 * removes these notes. So it is run at least once after the last change, and
 * what it does is captured like any change of the application.
 *
 * CommunicatorAfterApplyCommand: the notes are removed when the program has
 * ended well, so that it, too, is run at least once after the last change. */
#ifndef CM_INBOX_AFTER_H
#define CM_INBOX_AFTER_H

#include "apply/apply.h"

/* Note what is to be done because messages of APPLY took effect, in the open
 * transaction. */
cm_error_t *cm_after_note(const cm_apply_t *apply,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Do what is noted. *DONE counts the statements that were run. One that fails
 * is kept as a problem, added to *FAILURES (const cm_error_t *), and run again
 * the next time; it does not keep the others from being run. */
cm_error_t *cm_after_run(int *done, apr_array_header_t **failures,
                         cm_node_t *node,
                         apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* What cm_after_changed() has read, for cm_after_told(): ids as "1,2,3". */
typedef struct cm_after_notes_t {
    const char *first;  /* one per model */
    const char *others; /* more about the same models */
} cm_after_notes_t;

/* Find the models (*MODELS: const char *, each once) that have changed since
 * the program ran. */
cm_error_t *cm_after_changed(apr_array_header_t **models,
                             cm_after_notes_t *notes, cm_node_t *node,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* The program has been run with what NOTES say. If it FAILED (NULL: it ended
 * well), that is kept as a problem, and it is run again the next time. */
cm_error_t *cm_after_told(cm_node_t *node, const cm_after_notes_t *notes,
                          const cm_error_t *failed,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
