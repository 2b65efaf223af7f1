/* Finding the records that differ: see compare.h. */
#include "verify/compare.h"

#include <string.h>

#include <apr_strings.h>

#include "base/id_set.h"

/* Records of a stretch, which is one question, and of a part of it. */
#define STRETCH_RECORDS 4096
#define PART_RECORDS    256

/* Return whether ITEM, a record that only the node NAME has, was never sent: it
 * has no clock. One that another node created came from there, from a gem. */
static int is_unsent(const cm_verify_item_t *item, const char *origin,
                     const char *name)
{
    return !item->clock && (!strcmp(origin, name) || !strcmp(origin, "*"));
}

/* Note that a record differs; NULL: that side does not have it. */
static void note(cm_verify_work_t *work, const char *origin,
                 const cm_verify_item_t *here, const cm_verify_item_t *there)
{
    cm_verify_report_t *report = work->report;
    cm_difference_t *difference;

    if (here && !there && is_unsent(here, origin, work->node->settings->name)) {
        report->unpublished_here++;
        report->unsent_here++;
        return;
    }
    if (there && !here && is_unsent(there, origin, work->peer)) {
        report->unpublished_there++;
        report->unsent_there++;
        return;
    }
    if (report->differences->nelts >= CM_VERIFY_MOST) {
        report->too_many = 1;
        return;
    }
    difference = apr_array_push(report->differences);
    memset(difference, 0, sizeof(*difference));
    difference->identity.origin = apr_pstrdup(work->pool, origin);
    difference->identity.original_id =
        apr_pstrdup(work->pool, here ? here->original_id : there->original_id);
    difference->was_here = here != NULL;
    difference->was_there = there != NULL;
    difference->clock_here = here ? here->clock : 0;
    difference->clock_there = there ? there->clock : 0;
}

static int is_same_digest(cm_digest_t a, cm_digest_t b)
{
    return a.high == b.high && a.low == b.low;
}

/* Compare the items HERE from *AT on with THERE, up to UNTIL (NULL: all). */
static void compare_items(cm_verify_work_t *work, const char *origin,
                          const apr_array_header_t *here, int *at,
                          const apr_array_header_t *there, const char *until)
{
    int other = 0, order;

    for (;;) {
        const cm_verify_item_t *a =
            *at < here->nelts ? &APR_ARRAY_IDX(here, *at, cm_verify_item_t)
                              : NULL;
        const cm_verify_item_t *b =
            other < there->nelts
                ? &APR_ARRAY_IDX(there, other, cm_verify_item_t)
                : NULL;

        if (a && until && strcmp(a->original_id, until) > 0)
            a = NULL;
        if (!a && !b)
            return;
        order = !a ? 1 : !b ? -1 : strcmp(a->original_id, b->original_id);
        if (order || !is_same_digest(a->digest, b->digest))
            note(work, origin, order > 0 ? NULL : a, order < 0 ? NULL : b);
        *at += order <= 0;
        other += order >= 0;
    }
}

static apr_array_header_t *one_bound(const char *bound, apr_pool_t *pool)
{
    apr_array_header_t *bounds = apr_array_make(pool, 1, sizeof(char *));

    APR_ARRAY_PUSH(bounds, const char *) = bound;
    return bounds;
}

static cm_error_t *unfit(apr_pool_t *pool)
{
    return CM_FAIL(pool, CM_PROTOCOL,
                   "the peer's answer does not fit the question");
}

static int is_fit(const cm_verify_answer_t *answer,
                  const cm_verify_question_t *question)
{
    switch (question->ask) {
    case CM_ASK_SHAPE:
        return answer->shape != NULL;
    case CM_ASK_PARTS:
    case CM_ASK_ITEMS:
        return (question->ask == CM_ASK_PARTS ? answer->parts
                                              : answer->items) &&
               (!answer->until || strcmp(answer->until, question->after) > 0);
    case CM_ASK_STATES:
        return answer->states && answer->states->nelts &&
               answer->states->nelts <= question->names->nelts;
    case CM_ASK_PUBLISH:
    case CM_ASK_REVIVE:
        return answer->published <= question->names->nelts;
    }
    return 0;
}

cm_error_t *cm_verify_compare_ask(cm_verify_answer_t **answer,
                                  const cm_verify_work_t *work,
                                  cm_verify_question_t *question,
                                  apr_pool_t *pool)
{
    question->model = work->report->model;
    CM_TRY(work->ask(answer, work->baton, question, pool));
    return is_fit(*answer, question) ? NULL : unfit(pool);
}

/* Compare STRETCH record by record. HERE from AT on are our records of it. */
static cm_error_t *compare_part(cm_verify_work_t *work,
                                const cm_stretch_t *stretch,
                                const apr_array_header_t *here, int at,
                                apr_pool_t *scratch_pool)
{
    cm_verify_question_t question = {.ask = CM_ASK_ITEMS,
                                     .columns = work->verify->columns,
                                     .origin = stretch->origin,
                                     .after = stretch->after};
    cm_verify_answer_t *answer;
    apr_pool_t *iterpool;
    int more = 1;

    apr_pool_create(&iterpool, scratch_pool);
    while (more && !work->report->too_many) {
        apr_pool_clear(iterpool);
        question.bounds = one_bound(stretch->until, iterpool);
        CM_TRY(cm_verify_compare_ask(&answer, work, &question, iterpool));
        more = answer->until != NULL;
        compare_items(work, stretch->origin, here, &at, answer->items,
                      more ? answer->until : stretch->until);
        question.after = apr_pstrdup(scratch_pool, answer->until);
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Return where the parts of ITEMS end, the last one at END. */
static apr_array_header_t *make_bounds(const apr_array_header_t *items,
                                       const char *end, apr_pool_t *pool)
{
    apr_array_header_t *bounds = apr_array_make(pool, 20, sizeof(char *));
    int i;

    for (i = PART_RECORDS; i < items->nelts; i += PART_RECORDS) {
        const char *bound =
            APR_ARRAY_IDX(items, i - 1, cm_verify_item_t).original_id;

        if (!end || strcmp(bound, end) < 0)
            APR_ARRAY_PUSH(bounds, const char *) = bound;
    }
    APR_ARRAY_PUSH(bounds, const char *) = end;
    return bounds;
}

/* Compare the parts of STRETCH, with ITEMS here, by their digests; and those
 * that differ record by record. */
static cm_error_t *
compare_parts(cm_verify_work_t *work, const cm_stretch_t *stretch,
              const apr_array_header_t *items, const apr_array_header_t *bounds,
              const apr_array_header_t *there, apr_pool_t *pool)
{
    apr_array_header_t *here = cm_verify_read_parts(items, bounds, pool);
    cm_stretch_t part = *stretch;
    int i, at = 0;

    if (there->nelts != here->nelts)
        return unfit(pool);
    for (i = 0; i < here->nelts; i++) {
        const cm_verify_part_t *a = &APR_ARRAY_IDX(here, i, cm_verify_part_t);
        const cm_verify_part_t *b = &APR_ARRAY_IDX(there, i, cm_verify_part_t);

        part.until = APR_ARRAY_IDX(bounds, i, const char *);
        if (a->count != b->count || !is_same_digest(a->digest, b->digest))
            CM_TRY(compare_part(work, &part, items, at, pool));
        at += (int)a->count;
        work->report->records += a->count;
        part.after = part.until;
    }
    return NULL;
}

/* Compare the next stretch of ORIGIN after AFTER; *END is where it ended, NULL
 * when it was the last one. */
static cm_error_t *compare_stretch(const char **end, cm_verify_work_t *work,
                                   const char *origin, const char *after,
                                   apr_pool_t *pool)
{
    cm_stretch_t stretch = {origin, after, NULL};
    cm_verify_question_t question = {.ask = CM_ASK_PARTS,
                                     .columns = work->verify->columns,
                                     .origin = origin,
                                     .after = after};
    cm_verify_answer_t *answer;
    apr_array_header_t *items, *bounds;

    CM_TRY(cm_verify_read_bound(&stretch.until, work->verify, &stretch,
                                STRETCH_RECORDS, pool));
    CM_TRY(cm_verify_read_items(&items, work->verify, &stretch, pool));
    bounds = make_bounds(items, stretch.until, pool);
    question.bounds = bounds;
    CM_TRY(cm_verify_compare_ask(&answer, work, &question, pool));
    if (answer->until)
        bounds = cm_verify_read_cut(bounds, answer->until, pool);
    CM_TRY(compare_parts(work, &stretch, items, bounds, answer->parts, pool));
    *end = APR_ARRAY_IDX(bounds, bounds->nelts - 1, const char *);
    return NULL;
}

static cm_error_t *compare_origin(cm_verify_work_t *work, const char *origin,
                                  apr_pool_t *scratch_pool)
{
    cm_verify_report_t *report = work->report;
    apr_pool_t *iterpool;
    const char *after = "";

    apr_pool_create(&iterpool, scratch_pool);
    while (after && !report->too_many) {
        apr_pool_clear(iterpool);
        CM_TRY(compare_stretch(&after, work, origin, after, iterpool));
        if (work->progress)
            work->progress(work->progress_baton, report->records,
                           report->here->records);
        after = apr_pstrdup(scratch_pool, after);
    }
    apr_pool_destroy(iterpool);
    return NULL;
}

/* Return why the model cannot be compared, or NULL. */
static const char *obstacle(const cm_verify_shape_t *here,
                            const cm_verify_shape_t *there)
{
    if (!there->known)
        return "the peer has no such model, or only receives it";
    if (here->shared_keys != there->shared_keys)
        return "keys=shared is set on one side only";
    if (!(here->publishes && there->receives) &&
        !(there->publishes && here->receives))
        return "direction= lets it flow neither way";
    return NULL;
}

/* Return the origins of both sides, each once. */
static apr_array_header_t *join_origins(const cm_verify_report_t *report,
                                        apr_pool_t *pool)
{
    apr_array_header_t *all =
        apr_array_append(pool, report->here->origins, report->there->origins);
    cm_id_set_t *once = cm_id_set_create(all->nelts, pool);
    int i;

    for (i = 0; i < all->nelts; i++)
        cm_id_set_add(once, APR_ARRAY_IDX(all, i, const char *));
    return once->ids;
}

/* Find out what the model is on both sides, and begin the report. */
static cm_error_t *begin(cm_verify_work_t *work, const char *name)
{
    cm_verify_question_t question = {.ask = CM_ASK_SHAPE};
    cm_verify_report_t *report = apr_pcalloc(work->pool, sizeof(*report));
    cm_verify_shape_t *here;
    cm_verify_answer_t *answer;

    work->report = report;
    report->model = name;
    report->differences =
        apr_array_make(work->pool, 16, sizeof(cm_difference_t));
    CM_TRY(cm_verify_shape(&here, work->node, name, 0, work->pool));
    CM_TRY(cm_verify_compare_ask(&answer, work, &question, work->pool));
    report->here = here;
    report->there = answer->shape;
    report->skipped = obstacle(report->here, report->there);
    report->columns = cm_verify_shape_common(&report->left_out, report->here,
                                             report->there, work->pool);
    if (here->publishes && report->there->receives)
        report->unpublished_here = here->unpublished;
    if (report->there->publishes && here->receives)
        report->unpublished_there = report->there->unpublished;
    return NULL;
}

cm_error_t *cm_verify_compare(cm_verify_work_t *work, const char *name,
                              apr_pool_t *scratch_pool)
{
    const apr_array_header_t *origins;
    int i;

    CM_TRY(begin(work, name));
    if (work->report->skipped)
        return NULL;
    CM_TRY(cm_verify_shape_open(&work->verify, work->node, work->peer, name,
                                work->report->columns, work->pool));
    origins = join_origins(work->report, scratch_pool);
    for (i = 0; i < origins->nelts; i++)
        CM_TRY(compare_origin(work, APR_ARRAY_IDX(origins, i, const char *),
                              scratch_pool));
    return NULL;
}
