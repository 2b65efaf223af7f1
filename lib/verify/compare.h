/* Verifying, on the side that asks: it goes through its own records, asks the
 * peer about the same stretches, and looks closer where they differ. Records
 * that differ are compared again at the end: messages may have been under way.
 */
#ifndef CM_VERIFY_COMPARE_H
#define CM_VERIFY_COMPARE_H

#include "outbox/publish.h"
#include "verify/wire.h"

/* Differences that are kept in memory for one model; with more of them the
 * comparison ends there. */
#define CM_VERIFY_MOST 10000

/* Ask the peer QUESTION; the answer lives in POOL. */
typedef cm_error_t *(*cm_verify_ask_t)(cm_verify_answer_t **answer, void *baton,
                                       const cm_verify_question_t *question,
                                       apr_pool_t *pool);

typedef enum cm_verdict_kind_e {
    CM_RECORD_OPEN,          /* to be compared again */
    CM_RECORD_EQUAL,         /* it was under way, and has arrived */
    CM_RECORD_UNDER_WAY,     /* a message of it is, or it has changed since */
    CM_RECORD_PARKED,        /* a message of it is parked */
    CM_RECORD_DIFFERS,       /* in DIFFERENCE->columns */
    CM_RECORD_MISSING_HERE,  /* only the peer has it */
    CM_RECORD_MISSING_THERE, /* only we have it */
    CM_RECORD_KEPT           /* deleted on one side, by deletes=no */
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
    int was_here, was_there;             /* when it was found, with ... */
    apr_int64_t clock_here, clock_there; /* 0: of the gem's time */
    int deleted;                         /* where it is missing: by a delete */
    apr_array_header_t *columns;         /* cm_verify_cell_t, or NULL */
    int send_here, send_there;           /* who can repair it */
} cm_difference_t;

/* What came out for one model. */
typedef struct cm_verify_report_t {
    const char *model;
    const char *skipped;          /* why it was not compared, or NULL */
    apr_int64_t records;          /* compared here */
    apr_int64_t unpublished_here; /* never sent to the peer */
    apr_int64_t unpublished_there;
    apr_array_header_t *left_out;    /* const char *: columns not compared */
    apr_array_header_t *differences; /* cm_difference_t */
    int too_many;                    /* the rest was not compared */
    int counts[CM_RECORD_KEPT + 1];  /* of differences, by kind */
    int repairs_here, repairs_there; /* published */
    int unrepaired;                  /* nobody who could publishes the model */
    apr_int64_t unsent_here, unsent_there; /* of those, with a name */
    apr_int64_t extra; /* rows more here than there (below 0: there) that
                          nothing else in here explains */
    int undecided; /* only one side has them, and no --from says who is right */
    int left;      /* only the side has them that is not right */
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

/* Compare all records of the model NAME; WORK->report gets what was found,
 * its differences open. Fails as what it reads, and as WORK->ask. */
cm_error_t *cm_verify_compare(cm_verify_work_t *work, const char *name,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* --- settle.c --- */

/* Look at the differences of WORK->report again, and say what they are. */
cm_error_t *cm_verify_settle(cm_verify_work_t *work,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Publish the records that differ, on the side that has the newer values, or
 * on both. Of those that only one side has, which the other may have removed
 * unseen, publish those of FROM, the name of the side that is right; NULL:
 * none (report->undecided). */
cm_error_t *cm_verify_settle_repair(cm_verify_work_t *work, const char *from,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
