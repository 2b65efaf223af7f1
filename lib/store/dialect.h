/* What differs between the databases: strings and flags where they will do,
 * functions only where the code differs. One constant instance per database:
 * dialect_sqlite3.c, dialect_pgsql.c, dialect_mysql.c. What only lib/store
 * needs to know is in internal.h, what column types are in
 * schema/types.h, longer SQL (migrations, triggers, the catalog) in
 * sql/DRIVER/. */
#ifndef CM_STORE_DIALECT_H
#define CM_STORE_DIALECT_H

#include "base/moment.h"
#include "store/store.h"

typedef enum cm_database_e {
    CM_SQLITE3,
    CM_PGSQL,
    CM_MYSQL
} cm_database_e;

struct cm_dialect_t {
    cm_database_e database;
    const char *driver; /* apr_dbd's name */

    /* SQL: */
    const char *now;          /* this moment, for created_at columns */
    const char *for_update;   /* " FOR UPDATE", or "" */
    const char *filtered;     /* condition: rows of the table whose quoted name
                                 is the parameter may be hidden from us; NULL:
                                 never */
    const char *exact;        /* " COLLATE ...", behind a text that is compared
                                 with a local id of ours, where the database
                                 does not know by which collation; or "" */
    const char *body_bytes;   /* the size of the column "body" */
    const char *bytes[2];     /* the same of any text or bytes: before the
                                 column, and after it */
    const char *wire_digits;  /* the column "wire" in hexadecimal digits */
    const char *without_life; /* the column "original_id" without its life
                                 (record/identity.h) */
    const char *set_applying; /* tells triggers which table messages are applied
                                 to ("%s"); NULL: a row of communicator_applying
                                 tells them */
    const char *sync_reads;   /* makes reads wait for what other servers of a
                                 cluster have committed; NULL: there is no such
                                 cluster */
    const char *sync_reads_end; /* ends that */
    const char *schema_version; /* a number that changes whenever the schema
                                   does; NULL: there is none */

    /* SQL that finds messages without a number: */
    const char *unstamped;      /* the outbox, */
    const char *no_number;      /* and the condition, beside others on id */
    const char *in_order;       /* returns those rows in order of id */
    const char *unstamped_from; /* the id after which they come (exceptions: see
                                   outbox/unstamped.h); NULL: any */
    const char *unstamped_stale; /* how many entries of communicator_node are
                                    obsolete */
    const char *snapshot; /* which transactions a statement sees; NULL: this is
                             unknown */
    int leaves_gaps;      /* rows of open transactions show only as missing ids,
                             which outbox/unstamped_mysql.c remembers */

    /* What statements do: */
    int ddl_commits;     /* CREATE, ALTER and DROP end the transaction */
    int keeps_variables; /* a rollback leaves SET_APPLYING in force */
    int truncate_fires;  /* TRUNCATE fires a trigger */
    int truncate_hidden; /* TRUNCATE exists, but fires no trigger */
    int compares_rows;   /* (a, b) > (1, 2) finds rows by an index */
    int one_writer;      /* only one transaction can write: others try again
                            until it ends */
    int replace_hidden;  /* INSERT OR REPLACE deletes, but fires no trigger */
    int cascades_hidden; /* foreign keys delete, but fire no trigger */
    int has_sequences;   /* numbers are given by sequences, which do not notice
                            those that are written (schema/sequence.h) */

    /* What values look like: */
    int holds_nul;       /* text can hold U+0000 */
    int checks_utf8;     /* refuses text that is not UTF-8 */
    int reads_apart;     /* a value may be too large for one row of a result:
                            it is captured as CM_CAPTURE_APART */
    int captures_text;   /* triggers write every value as a JSON string, and a
                            TIMESTAMP as seconds since 1970 */
    int bits_as_text;    /* a bit(n) is given as the digits 0 and 1, not as
                            bytes */
    int names_numbers;   /* numbers may be NaN, Infinity and -Infinity, given by
                            name */
    int escapes;         /* a backslash in a literal is an escape */
    int strict_booleans; /* a boolean column holds true and false only */
    const char *booleans[2]; /* false and true, as such a column takes them */
    int wide_dates;          /* dates may be infinite or before Christ, but not
                                0000-00-00 */
    const char *before_time, *after_time; /* in a timestamp: "T", "Z" */
    /* Whether a column of type TIME holds MOMENT; NULL: all. */
    int (*holds_time)(const cm_moment_t *moment);

    const struct cm_dialect_ops_t *ops; /* internal.h */
};

extern const cm_dialect_t cm_dialect_sqlite3, cm_dialect_pgsql,
    cm_dialect_mysql;

/* Return the dialect of that apr_dbd driver, or NULL. */
const cm_dialect_t *cm_dialect_of_driver(const char *driver);

/* Return TEXT with every MARK doubled. */
const char *cm_dialect_doubled(const char *text, char mark, apr_pool_t *pool);

/* Return TEXT COUNT times with BETWEEN between. */
const char *cm_dialect_repeat(const char *text, const char *between, int count,
                              apr_pool_t *pool);

#endif
