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

/* Return whether LOCAL_ID can stand in the table of RECORDS. */
int cm_records_holds(const cm_records_t *records, const char *local_id);

/* Return the SQL of the key of the row "t" of TABLE, as RECORDS hold it. */
const char *cm_records_id(const cm_table_t *table, const cm_records_t *records,
                          apr_pool_t *pool);

/* Return SQL: the row "t" of TABLE is no record of RECORDS, because it was
 * neither sent nor received. One that was inserted just now may have a message
 * without a number. */
const char *cm_records_lack(const cm_table_t *table,
                            const cm_records_t *records, apr_pool_t *pool);

/* Return whether the keys of TABLE are integers of 64 bits. */
int cm_records_integer_keys(const cm_table_t *table);

/* Return the name of table NUMBER. */
const char *cm_records_table(int number, apr_pool_t *pool);

#endif
