/* References: what foreign keys say, and what the names of columns suggest. */
#include "schema/propose_internal.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

const cm_reference_t *cm_propose_references_of(const cm_proposal_t *proposal,
                                               const char *column,
                                               int suggested)
{
    const apr_array_header_t *lists[] = {proposal->references,
                                         proposal->suggested};
    int i, j;

    for (i = 0; i <= suggested; i++)
        for (j = 0; j < lists[i]->nelts; j++) {
            const cm_reference_t *one =
                &APR_ARRAY_IDX(lists[i], j, cm_reference_t);

            if (!strcmp(one->column, column) ||
                (one->type && !strcmp(one->type, column)))
                return one;
        }
    return NULL;
}

/* Add a reference from COLUMN to MODEL. */
static void add(cm_proposal_t *child, const char *column, const char *model)
{
    APR_ARRAY_PUSH(child->references, cm_reference_t) =
        (cm_reference_t){.column = column, .model = model};
}

/* Return the only column of the key of PROPOSAL, or NULL. */
static const char *sole_key(const cm_proposal_t *proposal)
{
    return proposal->key->nelts == 1
               ? APR_ARRAY_IDX(proposal->key, 0, const char *)
               : NULL;
}

/* Return whether COLUMN can be written in references=. */
static int is_plain(const char *column)
{
    return !strpbrk(column, ",\"'\\ {}?") && !strstr(column, "${");
}

/* --- foreign keys --- */

/* A foreign key of one column to the key of its parent is a reference. Of
 * others a person is told. */
static void take_single(cm_proposal_t *child, const cm_proposal_t *parent,
                        const cm_catalog_foreign_t *foreign)
{
    const char *column = APR_ARRAY_IDX(foreign->columns, 0, const char *);
    const char *that = APR_ARRAY_IDX(foreign->those, 0, const char *);
    const char *key = parent ? sole_key(parent) : NULL;
    const cm_reference_t *known = cm_propose_references_of(child, column, 0);

    if (known) {
        if (!parent || strcmp(known->model, parent->model))
            cm_propose_note(child, "%s has a second foreign key, to %s", column,
                            foreign->parent);
    }
    else if (!parent || parent->left_out)
        cm_propose_note(child,
                        "%s refers to %s, which is not a model: its values are "
                        "sent as they are",
                        column, foreign->parent);
    else if (!key || !that || strcmp(key, that))
        cm_propose_note(child,
                        "%s refers to %s of %s, which is not its key: its "
                        "values are sent as they are",
                        column, that ? that : "a column", foreign->parent);
    else if (!is_plain(column))
        cm_propose_note(child, "references= cannot name the column '%s'",
                        column);
    else
        add(child, column, parent->model);
}

/* Where a column of a key is a reference, so is the column that refers to it.
 * Return whether there was one. */
static int take_several(cm_proposal_t *child, const cm_proposal_t *parent,
                        const cm_catalog_foreign_t *foreign)
{
    int i, more = 0;

    for (i = 0; i < foreign->columns->nelts; i++) {
        const char *column = APR_ARRAY_IDX(foreign->columns, i, const char *);
        const char *that = APR_ARRAY_IDX(foreign->those, i, const char *);
        const cm_reference_t *reference =
            that ? cm_propose_references_of(parent, that, 0) : NULL;

        if (!reference || cm_propose_references_of(child, column, 0) ||
            !is_plain(column))
            continue;
        add(child, column, reference->model);
        more = 1;
    }
    return more;
}

static void remark_several(const cm_proposing_t *proposing,
                           cm_proposal_t *child,
                           const cm_catalog_foreign_t *foreign)
{
    cm_propose_note(child,
                    "the foreign key (%s) to %s has several columns, which "
                    "references= cannot name: rows that come before their "
                    "parents wait",
                    apr_array_pstrcat(proposing->pool, foreign->columns, ','),
                    foreign->parent);
}

/* Call a pass over all foreign keys of one column, or (SEVERAL) of more, and
 * return whether it has found something. */
static int pass(const cm_proposing_t *proposing, int several)
{
    int i, j, more = 0;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *child = cm_proposal(proposing->all, i);
        const apr_array_header_t *list = child->table->foreign;

        for (j = 0; !child->left_out && j < list->nelts; j++) {
            const cm_catalog_foreign_t *foreign =
                &APR_ARRAY_IDX(list, j, cm_catalog_foreign_t);
            cm_proposal_t *parent =
                cm_propose_of_table(proposing, foreign->parent);

            if ((foreign->columns->nelts > 1) != several)
                continue;
            if (!several)
                take_single(child, parent, foreign);
            else if (parent && !parent->left_out)
                more |= take_several(child, parent, foreign);
        }
    }
    return more;
}

static int by_parent(const void *a, const void *b)
{
    const cm_catalog_foreign_t *first = a, *second = b;
    int order = strcmp(first->parent, second->parent);

    return order ? order
                 : strcmp(APR_ARRAY_IDX(first->columns, 0, const char *),
                          APR_ARRAY_IDX(second->columns, 0, const char *));
}

/* Take what the foreign keys say. Their names and order do not count: they
 * differ between databases. */
static void take_foreign(const cm_proposing_t *proposing)
{
    int i, j;

    for (i = 0; i < proposing->all->nelts; i++) {
        const apr_array_header_t *list =
            cm_proposal(proposing->all, i)->table->foreign;

        qsort(list->elts, list->nelts, list->elt_size, by_parent);
    }
    pass(proposing, 0);
    while (pass(proposing, 1))
        ;
    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *child = cm_proposal(proposing->all, i);
        const apr_array_header_t *list = child->table->foreign;

        for (j = 0; !child->left_out && j < list->nelts; j++)
            if (APR_ARRAY_IDX(list, j, cm_catalog_foreign_t).columns->nelts > 1)
                remark_several(proposing, child,
                               &APR_ARRAY_IDX(list, j, cm_catalog_foreign_t));
    }
}

/* --- names --- */

/* Return the proposal whose model is called NAME, or NULL. */
static cm_proposal_t *named(const cm_proposing_t *proposing, const char *name)
{
    int i;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *proposal = cm_proposal(proposing->all, i);

        if (!strcmp(cm_propose_names_singular(proposal->table->name,
                                              proposing->pool),
                    name))
            return proposal;
    }
    return NULL;
}

static int is_word(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return 1;
    return 0;
}

/* Roles that records of the same table have, and those of users. */
static const char *const selves[] = {"parent", "root", "ancestor", NULL};
static const char *const users[] = {
    "author", "creator",  "owner",       "editor",    "reviewer",
    "sender", "assignee", "assigned_to", "recipient", NULL};

/* Return the proposal that STEM means in CHILD: "post" is posts, in wp_metas
 * wp_posts, "status" in issues is issue_statuses, "parent" CHILD itself. */
static cm_proposal_t *meant(const cm_proposing_t *proposing,
                            cm_proposal_t *child, const char *stem)
{
    const char *own =
        cm_propose_names_singular(child->table->name, proposing->pool);
    const char *line = strchr(own, '_');
    cm_proposal_t *found = named(proposing, stem);

    if (!found)
        found = named(proposing,
                      apr_pstrcat(proposing->pool, own, "_", stem, NULL));
    if (!found && line)
        found = named(proposing, apr_psprintf(proposing->pool, "%.*s_%s",
                                              (int)(line - own), own, stem));
    if (!found && is_word(stem, selves))
        found = child;
    if (!found && is_word(stem, users))
        found = meant(proposing, child, "user");
    return found;
}

/* Return whether NAME ends with one of WORDS, after "_" if not at its start. */
static int ends_with(const char *name, const char *const *words)
{
    size_t size = strlen(name);

    for (; *words; words++) {
        size_t end = strlen(*words);

        if (size >= end && !strcmp(name + size - end, *words) &&
            (size == end || name[size - end - 1] == '_'))
            return 1;
    }
    return 0;
}

/* Return what is before "_id" in the name of COLUMN, or, if it ends with a role
 * and is a number, all of it. NULL: it has no such name. */
static const char *stem_of(const cm_catalog_column_t *column, apr_pool_t *pool)
{
    /* "authorID" is "author_id". */
    const char *name = cm_propose_names_singular(column->name, pool);
    size_t size = strlen(name);

    if (size > 3 && !strcmp(name + size - 3, "_id"))
        return apr_pstrmemdup(pool, name, size - 3);
    if (column->value_class == CM_CLASS_INTEGER &&
        (ends_with(name, selves) || ends_with(name, users)))
        return name;
    return NULL;
}

/* Return whether COLUMN can hold the key of PARENT. */
static int fits(const cm_catalog_column_t *column, const cm_proposal_t *parent)
{
    const char *key = sole_key(parent);
    const cm_catalog_column_t *that =
        key ? cm_catalog_column(parent->table, key) : NULL;

    return that && !column->generated &&
           (that->value_class == column->value_class ||
            that->value_class == CM_CLASS_ANY ||
            column->value_class == CM_CLASS_ANY);
}

/* Columns whose names mislead, by the ends of the names of tables, whose
 * beginning is the same ("wp_"). */
static const struct {
    const char *child, *column, *parent;
} known[] = {
    {"term_taxonomy", "parent", "terms"},        /* WordPress */
    {"term_relationships", "object_id", "posts"} /* the same */
};

/* Return the proposal to which COLUMN of CHILD is known to refer, or NULL. */
static const cm_proposal_t *known_parent(const cm_proposing_t *proposing,
                                         const cm_proposal_t *child,
                                         const cm_catalog_column_t *column)
{
    const char *name = child->table->name;
    size_t i;

    for (i = 0; i < sizeof(known) / sizeof(*known); i++) {
        size_t size = strlen(name), end = strlen(known[i].child);

        if (size >= end && !strcmp(name + size - end, known[i].child) &&
            !strcmp(column->name, known[i].column))
            return cm_propose_of_table(proposing,
                                       apr_psprintf(proposing->pool, "%.*s%s",
                                                    (int)(size - end), name,
                                                    known[i].parent));
    }
    return NULL;
}

/* Return the proposal that COLUMN of CHILD seems to refer to, or NULL. The
 * first words of its name may say in which role: "old_post_id". */
static const cm_proposal_t *seems(const cm_proposing_t *proposing,
                                  cm_proposal_t *child,
                                  const cm_catalog_column_t *column)
{
    const char *stem = stem_of(column, proposing->pool);
    const char *key = sole_key(child);
    int is_key = key && !strcmp(key, column->name);
    const cm_proposal_t *sure = known_parent(proposing, child, column);

    if (is_key && column->given)
        return NULL;
    if (sure && !sure->left_out && fits(column, sure))
        return sure;
    while (stem) {
        cm_proposal_t *parent = meant(proposing, child, stem);

        if (parent && !parent->left_out && fits(column, parent) &&
            !(is_key && parent == child))
            return parent;
        stem = strchr(stem, '_');
        stem = stem ? stem + 1 : NULL;
    }
    return NULL;
}

/* Return the column that names the model to which COLUMN refers: "owner_type"
 * beside "owner_id"; or NULL. */
static const char *type_beside(const cm_catalog_table_t *table,
                               const cm_catalog_column_t *column,
                               apr_pool_t *pool)
{
    size_t size = strlen(column->name);
    const cm_catalog_column_t *type;

    if (size < 4 || strcasecmp(column->name + size - 3, "_id"))
        return NULL;
    type = cm_catalog_column(
        table, apr_psprintf(pool, "%.*s_type", (int)size - 3, column->name));
    return type && type->value_class == CM_CLASS_TEXT ? type->name : NULL;
}

/* Return what COLUMN of CHILD has where it refers to nothing. Where it is NOT
 * NULL and has a default, 0 means none: a foreign key would not allow that. */
static const char *none_of(const cm_proposal_t *child,
                           const cm_catalog_column_t *column)
{
    int i;

    for (i = 0; i < child->key->nelts; i++)
        if (!strcmp(APR_ARRAY_IDX(child->key, i, const char *), column->name))
            return NULL;
    return column->given && !column->nullable &&
                   column->value_class == CM_CLASS_INTEGER
               ? "0"
               : NULL;
}

/* COLUMN of CHILD seems to refer to PARENT. */
static void suggest(const cm_proposing_t *proposing, cm_proposal_t *child,
                    const cm_catalog_column_t *column,
                    const cm_proposal_t *parent)
{
    const cm_reference_t reference = {.column = column->name,
                                      .model = parent->model,
                                      .none = none_of(child, column)};

    if (proposing->options->guess) {
        APR_ARRAY_PUSH(child->references, cm_reference_t) = reference;
        return;
    }
    APR_ARRAY_PUSH(child->suggested, cm_reference_t) = reference;
    cm_propose_note(child,
                    "%s looks like a reference to %s, but no foreign key says "
                    "so: references=%s",
                    column->name, parent->table->name,
                    cm_settings_reference_text(&reference, proposing->pool));
}

/* Return whether COLUMN of CHILD can be a reference to what TYPE names. In a
 * key both must be. */
static int can_be_pair(const cm_proposal_t *child,
                       const cm_catalog_column_t *column, const char *type)
{
    int i, in_key = 0;

    for (i = 0; i < child->key->nelts; i++) {
        const char *name = APR_ARRAY_IDX(child->key, i, const char *);

        in_key += !strcmp(name, column->name) || !strcmp(name, type);
    }
    return in_key != 1 && !column->given && !column->generated &&
           !cm_catalog_column(child->table, type)->generated;
}

/* Note whether COLUMN of CHILD refers to what a row of another table names:
 * Django's content types. */
static void look_for_generic(const cm_proposing_t *proposing,
                             cm_proposal_t *child,
                             const cm_catalog_column_t *column)
{
    static const char end[] = "object_id";
    size_t size = strlen(column->name);
    const char *type;

    if (size < strlen(end) || strcmp(column->name + size - strlen(end), end))
        return;
    type = apr_psprintf(proposing->pool, "%.*scontent_type_id",
                        (int)(size - strlen(end)), column->name);
    if (!cm_propose_references_of(child, type, 1))
        return;
    child->generic = column->name;
    if (child->configured)
        return;
    if (column->nullable || column->given)
        cm_propose_note(child,
                        "%s refers to what the row of %s names: if that is "
                        "always the same model, take references=%s:MODEL "
                        "instead of except=",
                        column->name, type, column->name);
    else
        child->left_out = apr_psprintf(
            proposing->pool,
            "%s refers to what the row of %s names, which references= cannot "
            "say: take it with references=%s:MODEL if that is always the same "
            "model",
            column->name, type, column->name);
}

static void look_at(const cm_proposing_t *proposing, cm_proposal_t *child,
                    const cm_catalog_column_t *column)
{
    const char *type = type_beside(child->table, column, proposing->pool);
    const char *key = sole_key(child);
    const cm_proposal_t *parent;
    static const char *const ids[] = {"id", "ID", NULL};

    if (!is_plain(column->name))
        return;
    if (type && is_plain(type) && can_be_pair(child, column, type)) {
        APR_ARRAY_PUSH(child->references, cm_reference_t) =
            (cm_reference_t){.column = column->name,
                             .type = type,
                             .none = none_of(child, column)};
        return;
    }
    parent = seems(proposing, child, column);
    if (parent)
        suggest(proposing, child, column, parent);
    else if (ends_with(column->name, ids) && strcasecmp(column->name, "id") &&
             column->value_class == CM_CLASS_INTEGER &&
             (!key || strcmp(key, column->name))) {
        APR_ARRAY_PUSH(child->unexplained, const char *) = column->name;
        cm_propose_note(child,
                        "%s may refer to another table: if it does, name the "
                        "model in references=%s:MODEL",
                        column->name, column->name);
    }
}

static int has_foreign(const cm_catalog_table_t *table, const char *column)
{
    int i, j;

    for (i = 0; i < table->foreign->nelts; i++) {
        const apr_array_header_t *columns =
            APR_ARRAY_IDX(table->foreign, i, cm_catalog_foreign_t).columns;

        for (j = 0; j < columns->nelts; j++)
            if (!strcmp(APR_ARRAY_IDX(columns, j, const char *), column))
                return 1;
    }
    return 0;
}

static int by_column(const void *a, const void *b)
{
    return strcmp(((const cm_reference_t *)a)->column,
                  ((const cm_reference_t *)b)->column);
}

void cm_propose_references(const cm_proposing_t *proposing)
{
    int i, j;

    take_foreign(proposing);
    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *child = cm_proposal(proposing->all, i);
        const apr_array_header_t *columns = child->table->columns;

        for (j = 0; !child->left_out && j < columns->nelts; j++) {
            const cm_catalog_column_t *column =
                &APR_ARRAY_IDX(columns, j, cm_catalog_column_t);

            if (!has_foreign(child->table, column->name))
                look_at(proposing, child, column);
        }
        for (j = 0; !child->left_out && j < columns->nelts; j++)
            look_for_generic(proposing, child,
                             &APR_ARRAY_IDX(columns, j, cm_catalog_column_t));
        qsort(child->references->elts, child->references->nelts,
              child->references->elt_size, by_column);
    }
}
