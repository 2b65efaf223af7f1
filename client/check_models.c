/* check: whether the peer's models fit those of this node. The peer answers
 * only about models that it sends. */
#include "check.h"

#include <string.h>

#include <apr_strings.h>

#include "verify/verify.h"

/* A model on both sides. */
typedef struct fit_t {
    sync_check_t *check;
    const char *peer, *model;
    const cm_verify_shape_t *here, *there;
    int warned;
} fit_t;

static void warn(fit_t *fit, const char *hint, const char *what)
{
    fit->warned = 1;
    sync_check_say(fit->check, SYNC_VERDICT_WARN, hint, "%s: model %s: %s",
                   fit->peer, fit->model, what);
}

static const cm_verify_column_t *column_of(const cm_verify_shape_t *shape,
                                           const char *name)
{
    int i;

    for (i = 0; i < shape->columns->nelts; i++) {
        const cm_verify_column_t *column =
            &APR_ARRAY_IDX(shape->columns, i, cm_verify_column_t);

        if (!strcmp(column->name, name))
            return column;
    }
    return NULL;
}

static const char *reference(const cm_verify_column_t *column, apr_pool_t *pool)
{
    return column->reference ? apr_psprintf(pool, "references=%s:%s",
                                            column->name, column->reference)
                             : "no reference";
}

static int is_number(const cm_verify_column_t *column)
{
    return column->value_class == CM_CLASS_INTEGER ||
           column->value_class == CM_CLASS_DECIMAL ||
           column->value_class == CM_CLASS_FLOAT;
}

/* A column of both sides, HERE and THERE. */
static void compare_column(fit_t *fit, const cm_verify_column_t *here,
                           const cm_verify_column_t *there)
{
    apr_pool_t *pool = fit->check->client->pool;
    int to_there = fit->here->publishes && fit->there->receives;
    int to_here = fit->there->publishes && fit->here->receives;

    if ((here->reference || there->reference) &&
        (!here->reference || !there->reference ||
         strcmp(here->reference, there->reference)))
        warn(fit, "declare the same references= on both sides",
             apr_psprintf(pool, "'%s' has %s here, %s there", here->name,
                          reference(here, pool), reference(there, pool)));
    else if (!here->reference &&
             ((to_there && here->value_class == CM_CLASS_TEXT &&
               is_number(there)) ||
              (to_here && there->value_class == CM_CLASS_TEXT &&
               is_number(here))))
        warn(fit,
             apr_psprintf(pool, "give it one type, or except=%s", here->name),
             apr_psprintf(pool,
                          "'%s' holds text on one side and numbers on the "
                          "other: text that is not a number is parked",
                          here->name));
}

static void compare(fit_t *fit)
{
    int i, common = 0;

    if (fit->here->shared_keys != fit->there->shared_keys)
        warn(fit, "declare the same keys= on both sides",
             fit->here->shared_keys ? "keys=shared here, keys=mapped there"
                                    : "keys=mapped here, keys=shared there");
    if (fit->here->publishes && !fit->here->receives && !fit->there->receives)
        warn(fit, "direction=receive on one side",
             "both sides only publish it: what they send is parked");
    for (i = 0; i < fit->here->columns->nelts; i++) {
        const cm_verify_column_t *here =
            &APR_ARRAY_IDX(fit->here->columns, i, cm_verify_column_t);
        const cm_verify_column_t *there = column_of(fit->there, here->name);

        common += there != NULL;
        if (there)
            compare_column(fit, here, there);
    }
    if (!common && fit->here->columns->nelts && fit->there->columns->nelts)
        warn(fit, "compare table=, only= and except= of both sides",
             "the tables have no column in common: new records get only "
             "defaults");
}

void sync_check_models(sync_check_t *check, cm_session_t *session)
{
    const sync_client_t *client = check->client;
    const apr_array_header_t *models = client->settings->models;
    fit_t fit = {.check = check, .peer = session->peer->name};
    cm_verify_shape_t *here;
    cm_verify_answer_t *answer;
    cm_error_t *err = NULL;
    int i;

    for (i = 0; !err && i < models->nelts; i++) {
        cm_verify_question_t question = {.ask = CM_ASK_SHAPE, .brief = 1};

        fit.model = APR_ARRAY_IDX(models, i, cm_model_t *)->name;
        question.model = fit.model;
        if (cm_verify_shape(&here, client->node, fit.model, 1, client->pool))
            continue; /* that is said of the model */
        err = cm_session_ask(&answer, session, &question, client->pool);
        if (err || !answer->shape || !answer->shape->known)
            continue;
        fit.here = here;
        fit.there = answer->shape;
        compare(&fit);
    }
    if (err)
        sync_check_say(check, SYNC_VERDICT_WARN, err->hint,
                       "%s: its models: %s", fit.peer,
                       cm_error_text(err, client->pool));
    else if (!fit.warned)
        sync_check_went(check, NULL, "%s: the models of both sides fit",
                        fit.peer);
}
