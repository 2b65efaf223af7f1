/* A node: one application database with its Communicator, opened. */
#ifndef CM_NODE_NODE_H
#define CM_NODE_NODE_H

#include "store/store.h"
#include "config/settings.h"
#include "schema/records.h"
#include "schema/sequence.h"
#include "schema/table.h"

/* How far the outbox is stamped (outbox/unstamped.h). */
typedef struct cm_node_outbox_t {
    apr_int64_t stamped_id;   /* up to this id, as last read, */
    const char *passed;       /* and what may commit below */
    apr_time_t searched_at;   /* when all rows were last searched; 0: never */
    int ids_asked, ids_mixed; /* whether several servers give out ids */
    apr_pool_t *pool;         /* of PASSED */
} cm_node_outbox_t;

/* The tables that this connection remembers. */
typedef struct cm_node_tables_t {
    apr_hash_t *by_model; /* name -> cm_table_t *, read on first use */
    apr_hash_t *numbered; /* name -> list of cm_sequence_t, the same */
    apr_hash_t *records;  /* type -> cm_records_t *; NULL: not read yet */
    apr_hash_t *failed;   /* name -> cm_error_t *: why there is no table */
    apr_int64_t read_at;  /* when the first of them was read */
    apr_int64_t version;  /* of the schema then; 0: unknown */
    apr_pool_t *pool, *records_pool, *failed_pool;
} cm_node_tables_t;

typedef struct cm_node_t {
    const cm_settings_t *settings;
    cm_store_t *store;
    const char *epoch; /* of this database: 32 hexadecimal digits */
    int life;          /* the first of records made here (mapping.h) */
    apr_int64_t mappings_version; /* of the mappings, as last read */
    apr_int64_t paused_at;        /* since when it is paused; 0: it is not */
    cm_history_e history; /* what it keeps of received messages; never UNSET */
    apr_int64_t met_at;   /* until then a gem that has used this database knew
                             what its peer had changed; 0: none has */
    int owes_release;     /* what is parked waits for records of this run */
    cm_node_outbox_t outbox;
    cm_node_tables_t tables;
    apr_pool_t *pool;
} cm_node_t;

/* Open the node in POOL: reads its epoch and checks that the schema is the
 * one this program knows. Fails with CM_SCHEMA (hint: run migrate). */
cm_error_t *cm_node_open(cm_node_t **node, const cm_settings_t *settings,
                         cm_store_t *store, apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the table of MODEL from the cache, or read it. It stays valid until
 * cm_node_forget(). Fails with CM_SCHEMA (there is none, or it cannot be kept
 * in sync), without another look until the next cm_node_forget() or
 * cm_node_renew(). */
cm_error_t *cm_node_table(const cm_table_t **table, cm_node_t *node,
                          const cm_model_t *model,
                          apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the sequences of the table of MODEL (cm_sequence_t) from the cache, or
 * read them. */
cm_error_t *cm_node_sequences(apr_array_header_t **list, cm_node_t *node,
                              const cm_model_t *model,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Give the table of the records of TYPE, which the cache keeps until it forgets
 * the tables. Fails with CM_SCHEMA (hint: run migrate). */
cm_error_t *cm_node_records(const cm_records_t **records, cm_node_t *node,
                            const char *type,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Forget them: migrate has changed them. What was given stays valid until
 * cm_node_forget(). */
void cm_node_forget_records(cm_node_t *node);

/* Forget the tables (and prepared statements): the schema changed, perhaps.
 * Where the database says that it has not, tables are kept. */
void cm_node_forget(cm_node_t *node);

/* The same if they were read some seconds ago, and which of them are missing:
 * for a connection that lives long, before it is used. Otherwise a column whose
 * type has changed would go unnoticed as long as new values fit the old type.
 */
void cm_node_renew(cm_node_t *node);

/* Read again what `epoch --new` and `pause` change, for a connection that
 * lives long, and give the last seq used; takes no lock. */
cm_error_t *cm_node_refresh(apr_int64_t *last_seq, cm_node_t *node,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Take the node's stamp lock until the transaction ends and give the last
 * seq used. Every change of seq, clock and mapping is made under it. */
cm_error_t *cm_node_lock(apr_int64_t *last_seq, cm_node_t *node,
                         apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write the last seq used, under the lock. */
cm_error_t *cm_node_set_last_seq(cm_node_t *node, apr_int64_t last_seq,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same, and how far the outbox is stamped, as NODE says. */
cm_error_t *cm_node_set_stamped(cm_node_t *node, apr_int64_t last_seq,
                                apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Read the last number of the time when a gem used this database; 0: none has.
 */
cm_error_t *cm_node_migrated_seq(apr_int64_t *seq, cm_node_t *node,
                                 apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write when the gem that has used this database met its peer last. */
cm_error_t *cm_node_set_met(cm_node_t *node, apr_int64_t met_at,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Write a new epoch, the first life of records made from now on, and the last
 * seq used, under the lock. */
cm_error_t *cm_node_set_epoch(cm_node_t *node, const char *epoch, int life,
                              apr_int64_t last_seq,
                              apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Pause the node from AT on, for every run and request; one that is paused
 * already keeps its time. AT 0: resume. Fails with CM_BUSY, CM_UNAVAILABLE. */
cm_error_t *cm_node_set_paused(cm_node_t *node, apr_int64_t at,
                               apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Fail with CM_PAUSED when the node is paused, as it was last read. */
cm_error_t *cm_node_check_paused(const cm_node_t *node,
                                 apr_pool_t *pool) CM_UNUSED_RESULT;

/* Give the mappings their next version, under the lock: whoever has read them
 * without it sees that they have changed. */
cm_error_t *cm_node_mappings_change(cm_node_t *node,
                                    apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Say that changes of TABLE (NULL: of no table) made from now on in this
 * transaction are applied messages: its triggers stay silent. They compare
 * its name as configured (cm_model_t.table) with the setting
 * communicator.applying, the variable @communicator_applying, or the column
 * name of communicator_applying. Say NULL before commit, and on MariaDB
 * after a rollback too: there the variable outlives the transaction. */
cm_error_t *cm_node_applying(cm_node_t *node, const cm_table_t *table,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* The same for rows of TABLE with KEYS (const char *), before they are deleted:
 * rows that a foreign key within the table deletes with them are changes made
 * here. MariaDB's triggers do not see those. */
cm_error_t *cm_node_deleting(cm_node_t *node, const cm_table_t *table,
                             const apr_array_header_t *keys,
                             apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

#endif
