/* The mapping: who created a record, its id there, its id here; and the
 * record's sync state, its clocks and tombstone. Every record that was ever
 * sent or received has one, in the table of its class (schema/records.h). */
#ifndef CM_NODE_MAPPING_H
#define CM_NODE_MAPPING_H

#include "record/message.h"
#include "node/node.h"

typedef struct cm_mapping_t {
    int stored;            /* it has a row ... */
    const char *stored_id; /* ... with this local id, or NULL */
    const char *type;      /* local_record_type */
    cm_identity_t identity;
    const char *local_id; /* NULL: a tombstone, or an alias */
    cm_clocks_t clocks;
    apr_int64_t deleted_at; /* clock of the delete; 0: alive */
    cm_identity_t same_as;  /* of an alias: the record that it stands for; else
                               NULL */
    cm_identity_t heir; /* of a tombstone: the record that continues it, with
                           another key; else NULL */
    int changed;        /* to be written by cm_mapping_save() */
} cm_mapping_t;

/* Return whether the record of MAPPING is deleted, but its row stays here
 * alone: a person has discarded the delete (operate/parked.h). */
int cm_mapping_is_kept(const cm_mapping_t *mapping);

/* Find the mappings of records of TYPE by IDENTITIES (cm_identity_t), aliases
 * followed. *FOUND: cm_identity_key() -> cm_mapping_t *. */
cm_error_t *cm_mapping_by_identity(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *identities,
                                   apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* The same for one IDENTITY; *MAPPING is NULL where there is none, or IDENTITY
 * is not complete. */
cm_error_t *cm_mapping_of_identity(cm_mapping_t **mapping, cm_node_t *node,
                                   const char *type, cm_identity_t identity,
                                   apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find them by LOCAL_IDS (const char *). *FOUND: local id -> cm_mapping_t *. */
cm_error_t *cm_mapping_by_local_id(apr_hash_t **found, cm_node_t *node,
                                   const char *type,
                                   const apr_array_header_t *local_ids,
                                   apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Store MAPPINGS (cm_mapping_t *): those marked changed are updated, then
 * new ones are inserted, in two statements for each type. Under the node's
 * lock. */
cm_error_t *cm_mapping_save(cm_node_t *node, const apr_array_header_t *mappings,
                            apr_pool_t *scratch_pool) CM_UNUSED_RESULT;

/* Find the aliases of records of TYPE, whose IDENTITIES (cm_identity_t) are
 * theirs: *ALIASES: cm_mapping_t *, those that stand for one of them itself. */
cm_error_t *cm_mapping_aliases(apr_array_header_t **aliases, cm_node_t *node,
                               const char *type,
                               const apr_array_header_t *identities,
                               apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Make mappings for the LOCAL_IDS (const char *, each once) of MODEL that
 * have none alive: with the next free identity. They are added to FOUND
 * (local id -> cm_mapping_t *), not stored yet. Under the node's lock. */
cm_error_t *cm_mapping_make(apr_hash_t *found, cm_node_t *node,
                            const cm_model_t *model,
                            const apr_array_header_t *local_ids,
                            apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Find the next free life (cm_mapping_identity_of_local()) of each of
 * LOCAL_IDS: local id -> int *. */
cm_error_t *cm_mapping_lives(apr_hash_t **lives, cm_node_t *node,
                             const cm_model_t *model,
                             const apr_array_header_t *local_ids,
                             apr_pool_t *result_pool) CM_UNUSED_RESULT;

/* Return the first life of records of MODEL: 1; above that in a database that
 * was restored or replaced, which hands out ids once more. With shared keys
 * the same key is the same record. */
int cm_mapping_first_life(const cm_node_t *node, const cm_model_t *model);

/* Return the identity of a record created here: (node, local id); with shared
 * keys ("*", key). LIFE is the first one, or one more per
 * tombstone of that id: databases hand out old ids again. */
cm_identity_t cm_mapping_identity_of_local(cm_node_t *node,
                                           const cm_model_t *model,
                                           const char *local_id, int life,
                                           apr_pool_t *pool);

#endif
