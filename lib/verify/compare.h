/* Verifying, on the asking side: it reads its own records, asks the peer about
 * the same stretches, and compares more closely where they differ. Records that
 * differ are compared again at the end: messages may have been under way. */
#ifndef CM_VERIFY_COMPARE_H
#define CM_VERIFY_COMPARE_H

#include "outbox/publish.h"
#include "verify/wire.h"

/* Differences that are kept for one model. At more of them the comparison ends.
 */
#define CM_VERIFY_MOST 10000

/* Ask the peer QUESTION; the answer lives in POOL. */
typedef cm_error_t *(*cm_verify_ask_t)(cm_verify_answer_t **answer, void *baton,
                                       const cm_verify_question_t *question,
                                       apr_pool_t *pool);

typedef enum cm_verdict_kind_e {
    CM_RECORD_OPEN,          /* not compared again yet */
    CM_RECORD_EQUAL,         /* a message was under way, and has arrived */
    CM_RECORD_UNDER_WAY,     /* a message still is, or the record has changed */
    CM_RECORD_PARKED,        /* a message of it is parked or withheld */
    CM_RECORD_DIFFERS,       /* in DIFFERENCE->columns */
    CM_RECORD_MISSING_HERE,  /* only the peer has it */
    CM_RECORD_MISSING_THERE, /* only we have it */
    CM_RECORD_KEPT,          /* deleted on one side, kept by deletes=no */
    CM_RECORD_OUTSIDE        /* where= of a side keeps its changes there */
} cm_verdict_kind_e;

/* A column in which a record differs. Values are cut where they are long;
 * NULL: SQL NULL. */
typedef struct cm_verify_cell_t {
    const char *column;
    const char *here, *there;
} cm_verify_cell_t;

typedef struct cm_difference_t {
    cm_identity_t identity;
    cm_verdict_kind_e kind;
    int was_here, was_there;             /* when it was found, with these */
    apr_int64_t clock_here, clock_there; /* 0: from a gem */
    int deleted;                 /* it is missing because it was deleted */
    apr_array_header_t *columns; /* cm_verify_cell_t, or NULL */
    int send_here, send_there;   /* who can repair it */
} cm_difference_t;

/* The result for one model. */
typedef struct cm_verify_report_t {
    const char *model;
    const char *skipped;          /* why it was not compared, or NULL */
    apr_int64_t records;          /* compared here */
    apr_int64_t unpublished_here; /* never sent to the peer */
    apr_int64_t unpublished_there;
    apr_array_header_t *left_out;      /* const char *: columns not compared */
    apr_array_header_t *differences;   /* cm_difference_t */
    int too_many;                      /* the rest was not compared */
    int counts[CM_RECORD_OUTSIDE + 1]; /* of differences, by kind */
    int repairs_here, repairs_there;   /* published */
    int unrepaired; /* the side that could repair it does not publish the model
                     */
    apr_int64_t unsent_here, unsent_there; /* of those, with a mapping */
    apr_int64_t extra; /* more rows here than there (below 0: there) that no
                          difference explains */
    int undecided; /* only one side has them, and --from does not say which one
                      is right */
    int left;      /* only the side that is not right has them */
    const cm_verify_shape_t *here, *there;
    const apr_array_header_t *columns; /* cm_verify_column_t */
} cm_verify_report_t;

/* The work on one model with one peer. */
typedef struct cm_verify_work_t {
    cm_node_t *node;
    const char *peer;
    cm_verify_ask_t ask;
    void *baton;            /* for ASK */
    cm_progress_t progress; /* or NULL */
    void *progress_baton;
    cm_verify_t *verify; /* set by cm_verify_compare() */
    cm_verify_report_t *report;
    apr_pool_t *pool; /* that the report lives in */
} cm_verify_work_t;

/* Compare all records of the model NAME. WORK->report gets the differences, not
 * yet compared again. Fails as what it reads, and as WORK->ask. */
cm_error_t *cm_verify_compare(cm_verify_work_t *work, const char *name,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Ask the peer QUESTION about the model of WORK. Fails as WORK->ask, and with
 * CM_PROTOCOL when the answer does not fit. */
cm_error_t *cm_verify_compare_ask(cm_verify_answer_t **answer,
                                  const cm_verify_work_t *work,
                                  cm_verify_question_t *question,
                                  apr_pool_t *pool) CM_UNUSED_RESULT;

/* --- settle.c --- */

/* Compare the records in WORK->report again, and set the kind of each
 * difference. */
cm_error_t *cm_verify_settle(cm_verify_work_t *work,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish the records that differ on the side that has the newer values, or on
 * both. Records that only one side has may have been removed on the other
 * without a trigger: publish them if that side is FROM, the name of the side
 * that is right; FROM NULL: count them (report->undecided). */
cm_error_t *cm_verify_settle_repair(cm_verify_work_t *work, const char *from,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
