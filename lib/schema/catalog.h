/* All tables of the application's database, as its catalog describes them:
 * their columns, unique indexes and foreign keys. What one model's table looks
 * like in detail is in table.h. */
#ifndef CM_SCHEMA_CATALOG_H
#define CM_SCHEMA_CATALOG_H

#include "schema/table.h"

typedef struct cm_catalog_t {
    apr_array_header_t *tables; /* cm_catalog_table_t *, sorted by name */
} cm_catalog_t;

typedef struct cm_catalog_table_t {
    const char *name;   /* as table= has it: "posts", "shop.posts" */
    const char *kind;   /* "table", "view", "extension", ... */
    const char *detail; /* what makes it of that kind, or NULL */
    int writable; /* its name can be written in table=; only PostgreSQL has
                     schemas, elsewhere a dot in the name cannot be */
    apr_array_header_t *columns; /* cm_catalog_column_t, in its order */
    apr_array_header_t *uniques; /* cm_catalog_unique_t */
    apr_array_header_t *foreign; /* cm_catalog_foreign_t */
    apr_array_header_t *hazards; /* cm_catalog_hazard_t */
} cm_catalog_table_t;

typedef struct cm_catalog_column_t {
    const char *name;
    const char *type; /* as declared */
    cm_class_e value_class;
    int nullable;
    int zero;      /* its default is 0 */
    int given;     /* the database gives a value: a default, or a number */
    int generated; /* only the database gives its value */
} cm_catalog_column_t;

/* A unique index, or the primary key. */
typedef struct cm_catalog_unique_t {
    const char *name;
    int primary;
    apr_array_header_t *columns; /* const char *; NULL: an expression */
} cm_catalog_unique_t;

/* A foreign key: COLUMNS refer to THOSE of the table PARENT, pair by pair. */
typedef struct cm_catalog_foreign_t {
    const char *name;
    const char *parent;          /* as table= has it */
    apr_array_header_t *columns; /* const char * */
    apr_array_header_t *those;   /* const char *; NULL: of its primary key */
    int refuses; /* that a row is deleted which others refer to */
} cm_catalog_foreign_t;

/* What may make the two sides differ, and is not in the columns. */
typedef enum cm_hazard_e {
    CM_HAZARD_TRIGGER,      /* of the application; BODY: its statements */
    CM_HAZARD_SECURITY,     /* row security for the user NAME */
    CM_HAZARD_SUBSCRIPTION, /* logical replication writes into it */
    CM_HAZARD_DEFINER, /* MariaDB: our triggers have the rights of another user,
                          NAME; BODY: not NULL if that user is gone */
    CM_HAZARD_DEFERRABLE, /* the unique constraint NAME */
    CM_HAZARD_INCREMENT,  /* the numbers of the column NAME leave gaps: BODY */
    CM_HAZARD_ON_UPDATE   /* MariaDB: every update sets the column NAME */
} cm_hazard_e;

typedef struct cm_catalog_hazard_t {
    cm_hazard_e kind;
    const char *name, *body;
} cm_catalog_hazard_t;

/* Read the whole catalog. Fails as cm_statement_select(). */
cm_error_t *cm_catalog_read(cm_catalog_t **catalog, cm_store_t *store,
                            apr_pool_t *pool) CM_UNUSED_RESULT;

/* Read the hazards of its tables, too. Fails as cm_statement_select(). */
cm_error_t *cm_catalog_read_hazards(const cm_catalog_t *catalog,
                                    cm_store_t *store,
                                    apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return the table of that name, or one of that name in another case,
 * or NULL. */
const cm_catalog_table_t *cm_catalog_table(const cm_catalog_t *catalog,
                                           const char *name);

/* Return the column of that name, in any case, or NULL. */
const cm_catalog_column_t *cm_catalog_column(const cm_catalog_table_t *table,
                                             const char *name);

/* Return the primary key, or NULL. */
const cm_catalog_unique_t *cm_catalog_primary(const cm_catalog_table_t *table);

/* Return whether TABLE is one of Communicator's own. */
int cm_catalog_is_own(const cm_catalog_table_t *table);

#endif
