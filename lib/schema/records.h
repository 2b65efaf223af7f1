/* The tables of records: for each class of records (class=), who made each
 * record, its id here, its clocks. `migrate` makes them (sql/DRIVER/
 * records.sql), node/mapping.h reads and writes them. In their clocks a column
 * is a number, which it keeps for ever. */
#ifndef CM_SCHEMA_RECORDS_H
#define CM_SCHEMA_RECORDS_H

#include <apr_hash.h>

#include "schema/table.h"
#include "store/store.h"

/* The version of the tables that brought them. */
#define CM_RECORDS_VERSION 12

typedef struct cm_records_t {
    int number;            /* of the class */
    const char *type;      /* its name: local_record_type */
    const char *table;     /* "communicator_records_3" */
    int keys_are_integers; /* as far as migrate could see */
    int integer; /* local ids can only be integers of 64 bits; else any text */
    apr_hash_t *numbers;       /* column -> const int * */
    apr_array_header_t *names; /* const char *: by number; NULL: none */
} cm_records_t;

/* Read all of them: *RECORDS is type -> cm_records_t *. Fails with CM_SCHEMA
 * when there are no such tables. */
cm_error_t *cm_records_read(apr_hash_t **records, cm_store_t *store,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Records of a class that no model has. */
typedef struct cm_unclaimed_t {
    const char *type;
    apr_int64_t count;
} cm_unclaimed_t;

/* Find the classes of records here that no model has: *UNCLAIMED is a list of
 * cm_unclaimed_t, also in a database that the gem used and that is not upgraded
 * yet. Without tables it is empty. */
cm_error_t *cm_records_unclaimed(apr_array_header_t **unclaimed,
                                 cm_store_t *store,
                                 const cm_settings_t *settings,
                                 apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return what is said of ONE, in POOL, and what to do (a format that takes the
 * class). */
const char *cm_records_unclaimed_text(const cm_unclaimed_t *one,
                                      apr_pool_t *pool);
#define CM_UNCLAIMED_HINT                                                      \
    "if one of the models is that class here, add class=%s to its "            \
    "CommunicatorModel, before its records arrive a second time"

/* Return whether LOCAL_ID can stand in the table of RECORDS. */
int cm_records_holds(const cm_records_t *records, const char *local_id);

/* Return the SQL of the key of the row "t" of TABLE, as RECORDS hold it. */
const char *cm_records_id(const cm_table_t *table, const cm_records_t *records,
                          apr_pool_t *pool);

/* Return SQL: the row "t" of TABLE is not a record of RECORDS, because it was
 * neither sent nor received. One that was inserted just now may have a message
 * without a number. */
const char *cm_records_lack(const cm_table_t *table,
                            const cm_records_t *records, apr_pool_t *pool);

/* Return whether the keys of TABLE are integers of 64 bits. */
int cm_records_integer_keys(const cm_table_t *table);

/* Return the name of table NUMBER. */
const char *cm_records_table(int number, apr_pool_t *pool);

#endif
