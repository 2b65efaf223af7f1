/* Proposals: what the configuration of the models could be, by the catalog of
 * the database. The same tables give the same proposals on every host and in
 * every kind of database. */
#ifndef CM_SCHEMA_PROPOSE_H
#define CM_SCHEMA_PROPOSE_H

#include "schema/catalog.h"

/* A table, and the model that it could be. */
typedef struct cm_proposal_t {
    const cm_catalog_table_t *table;
    const cm_model_t *configured;    /* the model that it is already, or NULL */
    const char *model;               /* its name */
    const char *left_out;            /* why it is not proposed; NULL: it is */
    const char *hint;                /* what to do about that, or NULL */
    apr_array_header_t *key;         /* const char * */
    int shared;                      /* keys=shared */
    int counts_keys;                 /* newkey=max */
    apr_array_header_t *references;  /* cm_reference_t, sorted by column */
    apr_array_header_t *suggested;   /* cm_reference_t: only the names of the
                                        columns say so */
    apr_array_header_t *unexplained; /* const char *: columns with the name of a
                                        reference, to no table that is known */
    const char *match;   /* columns, unique and references all: with commas */
    const char *where;   /* which rows do not belong to one host; or NULL */
    const char *generic; /* a column that refers to what a row of another table
                            names (Django's object_id), which references=
                            cannot say; or NULL */
    apr_array_header_t *notes; /* const char *: sentences for a person */
    const char *line;          /* "CommunicatorModel ..."; NULL: left out */
    int placed;                /* while they are sorted */
} cm_proposal_t;

typedef struct cm_propose_options_t {
    const apr_array_header_t *patterns; /* const char *, as file names have
                                           them: only these tables; none: all.
                                           One that is named in full is taken
                                           although its name says "cache" */
    int guess; /* what is only suggested becomes references= */
} cm_propose_options_t;

/* Propose models for the tables of the database. *PROPOSALS: cm_proposal_t *,
 * parents before their children, then those that are left out. Communicator's
 * own tables are not among them. Models of SETTINGS keep their names. Fails as
 * cm_statement_select(). */
cm_error_t *cm_propose_all(apr_array_header_t **proposals, cm_store_t *store,
                           const cm_settings_t *settings,
                           const cm_propose_options_t *options,
                           apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether PATTERNS, those of the options, ask for TABLE. */
int cm_propose_wants(const apr_array_header_t *patterns, const char *table);

/* Return the name that a model of the table NAME gets: "BlogPosts" is
 * "blog_post". */
const char *cm_propose_names_singular(const char *name, apr_pool_t *pool);

/* Return whether one of COLUMNS (const char *; NULL: an expression) is named as
 * the place of a row in an order or a tree. It changes with every move, so that
 * it does not tell whether two rows are the same record. */
int cm_propose_names_place(const apr_array_header_t *columns);

#endif
