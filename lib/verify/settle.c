/* Comparing again what differs, and repairing it: see compare.h. */
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#include "outbox/aliases.h"
#include "verify/compare.h"

/* Records in one question, bytes of values here. */
#define BATCH_RECORDS 256
#define BATCH_BYTES   (2 * 1024 * 1024)
/* Bytes of a value that is shown. */
#define SHOWN_BYTES 60

/* Records that both sides have, by their identities on each side. A record may
 * have aliases, and then be missing under one of them. */
typedef struct settling_t {
    cm_verify_work_t *work;
    apr_hash_t *paired_here, *paired_there; /* identity key -> "" */
} settling_t;

static int is_same_value(const cm_value_t *a, const cm_value_t *b)
{
    if (a->kind <= CM_NULL || b->kind <= CM_NULL)
        return a->kind <= CM_NULL && b->kind <= CM_NULL;
    return cm_value_compare(*a, *b) == 0;
}

/* *SAME: A and B are identities of the same record of MODEL; one may be an
 * alias. */
static cm_error_t *compare_names(int *same, const cm_verify_work_t *work,
                                 const cm_model_t *model, const cm_value_t *a,
                                 const cm_value_t *b, apr_pool_t *pool)
{
    apr_array_header_t *names = apr_array_make(pool, 2, sizeof(cm_identity_t));
    const cm_mapping_t *left, *right;
    apr_hash_t *found;

    *same = 0;
    if (!model || a->kind <= CM_NULL || b->kind <= CM_NULL ||
        !cm_identity_of_key(apr_array_push(names), a->data, pool) ||
        !cm_identity_of_key(apr_array_push(names), b->data, pool))
        return NULL;
    CM_TRY(
        cm_mapping_by_identity(&found, work->node, model->type, names, pool));
    left = apr_hash_get(found, a->data, APR_HASH_KEY_STRING);
    right = apr_hash_get(found, b->data, APR_HASH_KEY_STRING);
    *same =
        left && right && !cm_aliases_compare(left->identity, right->identity);
    return NULL;
}

/* Return VALUE as it is shown; a reference as ORIGIN/ID. */
static const char *shown(const cm_verify_column_t *column,
                         const cm_value_t *value, apr_pool_t *pool)
{
    cm_identity_t name;
    apr_size_t size = value->size;

    if (value->kind <= CM_NULL)
        return NULL;
    if (column->reference && cm_identity_of_key(&name, value->data, pool))
        return apr_pstrcat(pool, name.origin, "/", name.original_id, NULL);
    if (size <= SHOWN_BYTES)
        return apr_pstrmemdup(pool, value->data, size);
    for (size = SHOWN_BYTES; size && (value->data[size] & 0xc0) == 0x80;)
        size--;
    return apr_pstrcat(pool, apr_pstrmemdup(pool, value->data, size), "...",
                       NULL);
}

/* Find the columns in which HERE and THERE differ, and which side has the newer
 * value. */
static cm_error_t *compare_values(cm_difference_t *difference,
                                  const cm_verify_work_t *work,
                                  const cm_verify_state_t *here,
                                  const cm_verify_state_t *there,
                                  apr_pool_t *scratch_pool)
{
    const apr_array_header_t *columns = work->verify->columns;
    int i, same;

    for (i = 0; i < columns->nelts; i++) {
        const cm_verify_column_t *column =
            &APR_ARRAY_IDX(columns, i, cm_verify_column_t);
        const cm_value_t *a = &here->values[i], *b = &there->values[i];
        apr_int64_t newer;

        if (is_same_value(a, b))
            continue;
        if (column->reference) {
            CM_TRY(compare_names(
                &same, work,
                cm_verify_values_model(
                    work->verify,
                    cm_table_column(work->verify->table, column->name),
                    here->values),
                a, b, scratch_pool));
            if (same)
                continue;
        }
        if (!difference->columns)
            difference->columns =
                apr_array_make(work->pool, 2, sizeof(cm_verify_cell_t));
        APR_ARRAY_PUSH(difference->columns, cm_verify_cell_t) =
            (cm_verify_cell_t){column->name, shown(column, a, work->pool),
                               shown(column, b, work->pool)};
        newer = (here->clocks ? here->clocks[i] : 0) -
                (there->clocks ? there->clocks[i] : 0);
        difference->send_here |= newer >= 0;
        difference->send_there |= newer <= 0;
    }
    return NULL;
}

static void pair(apr_hash_t *paired, const cm_verify_state_t *state,
                 apr_pool_t *pool)
{
    apr_hash_set(paired, cm_identity_key(state->identity, pool),
                 APR_HASH_KEY_STRING, "");
}

/* Return whether the record has changed since it was there (WAS) with CLOCK, or
 * was not there. One from a gem has no clock until it is changed. */
static int has_changed(const cm_verify_state_t *state, int was,
                       apr_int64_t clock)
{
    if (was)
        return state->clock != clock;
    return state->values &&
           !strcmp(state->identity.original_id, state->asked.original_id);
}

/* Only one side has the record: PRESENT is its state there, ABSENT its state on
 * the other side. With deletes=no a delete leaves only a mapping. */
static void settle_missing(cm_difference_t *difference,
                           const cm_verify_work_t *work,
                           const cm_verify_state_t *present,
                           const cm_verify_state_t *absent,
                           cm_verdict_kind_e kind)
{
    const cm_verify_report_t *report = work->report;
    int deletes = report->here->deletes && report->there->deletes;
    int there = kind == CM_RECORD_MISSING_THERE;

    difference->deleted = absent->deleted_at != 0;
    difference->kind = kind;
    if (!deletes && (difference->deleted || absent->clock))
        difference->kind = CM_RECORD_KEPT;
    difference->send_here = there != difference->deleted;
    difference->send_there = !difference->send_here;
    difference->identity.origin =
        apr_pstrdup(work->pool, present->identity.origin);
    difference->identity.original_id =
        apr_pstrdup(work->pool, present->identity.original_id);
}

/* Set the kind of DIFFERENCE from the states of both sides. */
static cm_error_t *settle_one(settling_t *settling, cm_difference_t *difference,
                              const cm_verify_state_t *here,
                              const cm_verify_state_t *there,
                              apr_pool_t *scratch_pool)
{
    const cm_verify_work_t *work = settling->work;
    int moving =
        here->pending || there->pending ||
        has_changed(here, difference->was_here, difference->clock_here) ||
        has_changed(there, difference->was_there, difference->clock_there);
    cm_verdict_kind_e open =
        here->parked || there->parked ? CM_RECORD_PARKED : CM_RECORD_UNDER_WAY;

    difference->kind = CM_RECORD_EQUAL;
    if (here->outside || there->outside) {
        difference->kind = CM_RECORD_OUTSIDE;
        return NULL;
    }
    if (here->values && there->values) {
        pair(settling->paired_here, here, work->pool);
        pair(settling->paired_there, there, work->pool);
        CM_TRY(compare_values(difference, work, here, there, scratch_pool));
        if (difference->columns)
            difference->kind = moving ? open : CM_RECORD_DIFFERS;
    }
    else if (here->values || there->values) {
        if (moving)
            difference->kind = open;
        else if (here->values)
            settle_missing(difference, work, here, there,
                           CM_RECORD_MISSING_THERE);
        else
            settle_missing(difference, work, there, here,
                           CM_RECORD_MISSING_HERE);
    }
    return NULL;
}

/* Settle some of the differences from FIRST on; *COUNT of them. */
static cm_error_t *settle_some(int *count, settling_t *settling, int first,
                               apr_pool_t *pool)
{
    cm_verify_work_t *work = settling->work;
    const apr_array_header_t *differences = work->report->differences;
    apr_array_header_t *here, *names;
    cm_verify_question_t question = {.ask = CM_ASK_STATES,
                                     .columns = work->verify->columns};
    cm_verify_answer_t *answer;
    int i;

    names = apr_array_make(pool, BATCH_RECORDS, sizeof(cm_identity_t));
    for (i = first; i < differences->nelts && i < first + BATCH_RECORDS; i++)
        APR_ARRAY_PUSH(names, cm_identity_t) =
            APR_ARRAY_IDX(differences, i, cm_difference_t).identity;
    CM_TRY(cm_verify_states(&here, work->verify, names, BATCH_BYTES, pool));
    names->nelts = here->nelts;
    question.names = names;
    CM_TRY(cm_verify_compare_ask(&answer, work, &question, pool));
    for (i = 0; i < answer->states->nelts; i++) {
        cm_verify_state_t *there =
            &APR_ARRAY_IDX(answer->states, i, cm_verify_state_t);

        there->asked = APR_ARRAY_IDX(names, i, cm_identity_t);
        if (!there->identity.origin || !there->identity.original_id)
            there->identity = there->asked;
        CM_TRY(settle_one(
            settling, &APR_ARRAY_IDX(differences, first + i, cm_difference_t),
            &APR_ARRAY_IDX(here, i, cm_verify_state_t), there, pool));
    }
    *count = answer->states->nelts;
    return NULL;
}

/* A record that is missing under one identity may be there under an alias. */
static void settle_names(settling_t *settling)
{
    const cm_verify_report_t *report = settling->work->report;
    apr_array_header_t *differences = report->differences;
    int i;

    for (i = 0; i < differences->nelts; i++) {
        cm_difference_t *difference =
            &APR_ARRAY_IDX(differences, i, cm_difference_t);
        const char *key =
            cm_identity_key(difference->identity, settling->work->pool);

        if ((difference->kind == CM_RECORD_MISSING_THERE &&
             apr_hash_get(settling->paired_here, key, APR_HASH_KEY_STRING)) ||
            (difference->kind == CM_RECORD_MISSING_HERE &&
             apr_hash_get(settling->paired_there, key, APR_HASH_KEY_STRING)))
            difference->kind = CM_RECORD_EQUAL;
        settling->work->report->counts[difference->kind]++;
    }
}

/* Return how many rows of SHAPE have a mapping. */
static apr_int64_t rows_of(const cm_verify_shape_t *shape)
{
    return shape->rows - shape->unpublished;
}

static int is_as_before(const cm_verify_shape_t *before,
                        const cm_verify_shape_t *now)
{
    return before->rows == now->rows && before->unpublished == now->unpublished;
}

/* Compare how many rows both sides have: otherwise two rows of one record would
 * go unnoticed, for they have the same values. While anything changes, the
 * numbers mean nothing. */
static cm_error_t *compare_rows(cm_verify_work_t *work, apr_pool_t *pool)
{
    cm_verify_report_t *report = work->report;
    const int *counts = report->counts;
    cm_verify_question_t question = {.ask = CM_ASK_SHAPE};
    apr_int64_t extra = rows_of(report->here) - rows_of(report->there) -
                        report->unsent_here + report->unsent_there -
                        counts[CM_RECORD_MISSING_THERE] +
                        counts[CM_RECORD_MISSING_HERE];
    cm_verify_shape_t *here;
    cm_verify_answer_t *answer;

    if (!extra || report->there->rows < 0 || report->too_many ||
        counts[CM_RECORD_UNDER_WAY] || counts[CM_RECORD_PARKED] ||
        counts[CM_RECORD_KEPT] || counts[CM_RECORD_OUTSIDE])
        return NULL;
    CM_TRY(cm_verify_shape(&here, work->node, report->model, 0, pool));
    CM_TRY(cm_verify_compare_ask(&answer, work, &question, pool));
    if (is_as_before(report->here, here) &&
        is_as_before(report->there, answer->shape))
        report->extra = extra;
    return NULL;
}

cm_error_t *cm_verify_settle(cm_verify_work_t *work, apr_pool_t *scratch_pool)
{
    settling_t settling = {work, apr_hash_make(work->pool),
                           apr_hash_make(work->pool)};
    apr_pool_t *iterpool;
    int first, count = 0;

    if (work->report->skipped)
        return NULL;
    apr_pool_create(&iterpool, scratch_pool);
    for (first = 0; first < work->report->differences->nelts; first += count) {
        apr_pool_clear(iterpool);
        CM_TRY(settle_some(&count, &settling, first, iterpool));
    }
    apr_pool_destroy(iterpool);
    settle_names(&settling);
    return compare_rows(work, scratch_pool);
}

/* Publish NAMES here or (THERE) at the peer. */
static cm_error_t *publish(cm_verify_work_t *work,
                           const apr_array_header_t *names, int there,
                           apr_pool_t *pool)
{
    cm_verify_report_t *report = work->report;
    cm_verify_question_t question = {.ask = CM_ASK_PUBLISH, .names = names};
    cm_verify_answer_t *answer;
    apr_int64_t published;

    if (!names->nelts)
        return NULL;
    if (there) {
        CM_TRY(cm_verify_compare_ask(&answer, work, &question, pool));
        report->repairs_there += (int)answer->published;
        return NULL;
    }
    CM_TRY(cm_publish_identities(&published, work->node,
                                 work->verify->table->model, names, pool));
    report->repairs_here += (int)published;
    return NULL;
}

/* Return whether DIFFERENCE may be repaired when FROM is right; else count it.
 */
static int is_decided(cm_verify_work_t *work, const cm_difference_t *difference,
                      const char *from)
{
    const char *has = difference->kind == CM_RECORD_MISSING_THERE
                          ? work->node->settings->name
                          : work->peer;

    if (difference->kind == CM_RECORD_DIFFERS || difference->deleted ||
        (from && !strcmp(from, has)))
        return 1;
    work->report->undecided += !from;
    work->report->left += from != NULL;
    return 0;
}

cm_error_t *cm_verify_settle_repair(cm_verify_work_t *work, const char *from,
                                    apr_pool_t *scratch_pool)
{
    cm_verify_report_t *report = work->report;
    int from_here = report->here->publishes && report->there->receives;
    int from_there = report->there->publishes && report->here->receives;
    int first, i;
    apr_pool_t *iterpool;

    apr_pool_create(&iterpool, scratch_pool);
    for (first = 0; first < report->differences->nelts;
         first += BATCH_RECORDS) {
        apr_array_header_t *here, *there;

        apr_pool_clear(iterpool);
        here = apr_array_make(iterpool, 16, sizeof(cm_identity_t));
        there = apr_array_make(iterpool, 16, sizeof(cm_identity_t));
        for (i = first;
             i < report->differences->nelts && i < first + BATCH_RECORDS; i++) {
            const cm_difference_t *difference =
                &APR_ARRAY_IDX(report->differences, i, cm_difference_t);
            int send_here = from_here && difference->send_here;
            int send_there = from_there && difference->send_there;

            if ((difference->kind != CM_RECORD_DIFFERS &&
                 difference->kind != CM_RECORD_MISSING_HERE &&
                 difference->kind != CM_RECORD_MISSING_THERE) ||
                !is_decided(work, difference, from))
                continue;
            if (send_here)
                APR_ARRAY_PUSH(here, cm_identity_t) = difference->identity;
            if (send_there)
                APR_ARRAY_PUSH(there, cm_identity_t) = difference->identity;
            report->unrepaired += !send_here && !send_there;
        }
        CM_TRY(publish(work, here, 0, iterpool));
        CM_TRY(publish(work, there, 1, iterpool));
    }
    apr_pool_destroy(iterpool);
    return NULL;
}
