/* What an operator configured: the node's name, database, peers, models,
 * limits.
 *
 * The module has settings for each virtual host, communicator-sync those of its
 * file. Strings live in the pool given to cm_settings_create(). Nothing changes
 * after reading, so threads share the settings. */
#ifndef CM_CONFIG_SETTINGS_H
#define CM_CONFIG_SETTINGS_H

#include <apr_tables.h>
#include <apr_time.h>

#include "base/error.h"

/* Where a setting was written, for messages: "models.conf:3". */
typedef struct cm_place_t {
    const char *file;
    int line;
} cm_place_t;

typedef enum cm_compress_e {
    CM_COMPRESS_AUTO, /* to this host only what is kept packed anyway */
    CM_COMPRESS_NO,
    CM_COMPRESS_YES
} cm_compress_e;

/* Another node, as configured here. */
typedef struct cm_peer_settings_t {
    const char *name;
    const char *uri;  /* NULL: it connects to this node */
    int loopback;     /* uri leads to this host, and there is no proxy= */
    const char *user; /* this node logs in as; without uri: the peer */
    const char *password_file;     /* NULL: none */
    const char *ca_file;           /* NULL: the system's */
    const char *cert;              /* the client's certificate; NULL: none */
    const char *key;               /* NULL: it is in the same file */
    const char *key_password_file; /* NULL: the key is not encrypted */
    const char *proxy;             /* or "none"; NULL: by the environment */
    const char *proxy_user_file;   /* NULL: none */
    int insecure;                  /* insecure=yes: http:// to other hosts */
    int compress;                  /* a cm_compress_e */
    int gem;                       /* protocol=gem: it may be a gem */
    int local_times;               /* times=local: the zone of a gem's times is
                                      not applied */
    cm_place_t place;
} cm_peer_settings_t;

/* A column here that holds the local id of a record of another model: always of
 * the same one, or of the one that another column of the row names. */
typedef struct cm_reference_t {
    const char *column;
    const char *model; /* NULL: TYPE names it */
    const char *type;  /* the column that names the model; NULL: none */
    const char *none; /* the value that refers to nothing; NULL: only NULL is */
} cm_reference_t;

typedef enum cm_conflict_e {
    CM_CONFLICT_NEWEST, /* for each column the newer clock wins */
    CM_CONFLICT_NODE,   /* conflict_node's value wins */
    CM_CONFLICT_HOLD    /* parked until a person decides */
} cm_conflict_e;

/* The columns that a model treats differently, none by default. */
typedef struct cm_model_columns_t {
    apr_array_header_t *key;            /* const char *: "id" by default */
    apr_array_header_t *except;         /* const char *: not carried */
    apr_array_header_t *except_receive; /* const char *: not received */
    apr_array_header_t *only;       /* const char *: all others not carried */
    apr_array_header_t *references; /* cm_reference_t */
    apr_array_header_t *match;      /* const char * */
} cm_model_columns_t;

/* A kind of record: its name on the wire, its table here. */
typedef struct cm_model_t {
    const char *name;        /* "blog_post": on the wire */
    const char *type;        /* "BlogPost", or class=: local_record_type */
    const char *table;       /* "blog_posts" or "schema.blog_posts" */
    const char *key;         /* its columns as configured: "id", "a,b" */
    int receives, publishes; /* direction= */
    int by_application;      /* publish=application: without triggers */
    cm_model_columns_t columns;
    int shared;      /* keys=shared, as configured */
    int shared_keys; /* the key's values are the identity on all nodes */
    int counts_keys; /* newkey=max: a new record whose key is taken here gets
                        the highest one plus one */
    int referred;    /* records that are published here may refer to its */
    cm_conflict_e conflict;
    const char *conflict_node;
    int deletes;       /* deletes=yes */
    const char *where; /* SQL over the columns of a row: whether it is sent;
                          NULL: all are */
    int leave_deletes; /* leave=delete: peers delete one that is not any more */
    cm_place_t place;
} cm_model_t;

/* CommunicatorAfterApply: what to do after records of models have changed. */
typedef struct cm_action_t {
    const char *models;        /* as configured: "post,comment" */
    apr_array_header_t *names; /* const char *: the same */
    const char *sql;
    cm_place_t place;
} cm_action_t;

typedef enum cm_on_error_e {
    CM_ON_ERROR_PARK,
    CM_ON_ERROR_STOP
} cm_on_error_e;

/* CommunicatorHistory: what is kept of messages that are applied. */
typedef enum cm_history_e {
    CM_HISTORY_UNSET,  /* not configured: as the database says (node.h) */
    CM_HISTORY_PACKED, /* the batches as they came */
    CM_HISTORY_ROWS,   /* a row of inbound_messages for each */
    CM_HISTORY_NONE    /* only how many there were, and when */
} cm_history_e;

/* For mod_dbd; NULL in httpd, where mod_dbd reads them. */
typedef struct cm_database_settings_t {
    const char *driver; /* DBDriver */
    const char *params; /* DBDParams */
} cm_database_settings_t;

/* CommunicatorRequireTLS: which requests count as encrypted. */
typedef struct cm_require_tls_t {
    int on;
    const char *header;  /* in which proxies say so; NULL: none does */
    const char *trusted; /* these proxies as configured; NULL: this host */
    apr_array_header_t *proxies; /* apr_ipsubnet_t *: the same */
} cm_require_tls_t;

/* CommunicatorBatch: the most that is sent at once. */
typedef struct cm_batch_settings_t {
    int messages;
    apr_int64_t bytes;
} cm_batch_settings_t;

/* What only communicator-sync reads. */
typedef struct cm_client_settings_t {
    const char *state_directory; /* CommunicatorStateDir: runs, alerts */
    const char *run_directory;   /* CommunicatorRunDir: locks */
    const char *after_command;   /* CommunicatorAfterApplyCommand; NULL: none */
    const char *notify_command;  /* CommunicatorNotifyCommand; NULL: none */
} cm_client_settings_t;

typedef struct cm_settings_t {
    const char *name; /* CommunicatorName */
    cm_database_settings_t database;
    apr_array_header_t *peers;   /* cm_peer_settings_t *, in file order */
    apr_array_header_t *models;  /* cm_model_t *, in file order */
    apr_array_header_t *actions; /* cm_action_t *, in file order */
    cm_require_tls_t require_tls;
    apr_int64_t max_body; /* CommunicatorMaxBody, bytes */
    cm_batch_settings_t batch;
    cm_on_error_e on_error;           /* CommunicatorOnError */
    apr_interval_time_t expect_every; /* CommunicatorExpectEvery; 0: off */
    cm_history_e history;             /* CommunicatorHistory */
    apr_interval_time_t retain;       /* CommunicatorRetain; -1: forever */
    int waiters;                      /* CommunicatorWaiters */
    cm_client_settings_t client;
    apr_uint32_t given; /* bit per cm_directive_e that was read */
} cm_settings_t;

/* Return the defaults, without peers and models. */
cm_settings_t *cm_settings_create(apr_pool_t *pool);

/* Return BASE with what OVER sets instead; peers and models of OVER are added.
 * For virtual hosts. */
cm_settings_t *cm_settings_merge(const cm_settings_t *base,
                                 const cm_settings_t *over, apr_pool_t *pool);

/* Check what a single line cannot show: the name is set, no model or peer is
 * declared twice, references= names models, no two models share a table,
 * conflict= names a known node. Then complete the models, which depend on each
 * other (key.h). Fails with CM_CONFIG, naming file and line. */
cm_error_t *cm_settings_check(const cm_settings_t *settings,
                              apr_pool_t *pool) CM_UNUSED_RESULT;

/* Return whether NAMES (const char *) have NAME. */
int cm_settings_has_name(const apr_array_header_t *names, const char *name);

/* Return CAUSE as an error of the line at PLACE, in httpd's form. */
cm_error_t *cm_settings_error(cm_place_t place, const cm_error_t *cause,
                              apr_pool_t *pool);

/* Return the model that a column with the value TYPE means: its name or its
 * class, "post" or "Post". NULL: none, or its key has several columns. */
const cm_model_t *cm_settings_model_of_type(const cm_settings_t *settings,
                                            const char *type);

/* Return REFERENCE as references= has it. */
const char *cm_settings_reference_text(const cm_reference_t *reference,
                                       apr_pool_t *pool);

/* Return the models (cm_model_t *), each behind those that it refers to; in a
 * cycle the first of the file comes first. */
apr_array_header_t *cm_settings_parents_first(const cm_settings_t *settings,
                                              apr_pool_t *pool);

/* Return whether REFERENCE can lead to records of MODEL. */
int cm_settings_refers_to(const cm_reference_t *reference,
                          const cm_model_t *model);

/* Return the model NAME, or NULL; NAME may be NULL. */
const cm_model_t *cm_settings_model(const cm_settings_t *settings,
                                    const char *name);

/* Return the peer NAME, or NULL. */
const cm_peer_settings_t *cm_settings_peer(const cm_settings_t *settings,
                                           const char *name);

/* Return the peer that logs in as USER, or NULL. */
const cm_peer_settings_t *
cm_settings_peer_of_user(const cm_settings_t *settings, const char *user);

/* Return whether MODEL sends and receives COLUMN (only=, except=). A key of
 * one column is carried only with keys=shared, or if it travels. */
int cm_settings_model_carries(const cm_model_t *model, const char *column);

/* Return whether MODEL takes COLUMN from a peer (except-receive=). */
int cm_settings_model_takes(const cm_model_t *model, const char *column);

/* Return whether triggers publish the changes of MODEL. */
int cm_settings_model_captures(const cm_model_t *model);

/* Return whether COLUMN belongs to the key of MODEL. */
int cm_settings_model_is_key(const cm_model_t *model, const char *column);

/* Return whether the key of MODEL is data: its columns are sent, translated and
 * written like others. A key of several columns is, and one that is a
 * reference. Otherwise the database gives the key, or the identity does. */
int cm_settings_model_key_travels(const cm_model_t *model);

/* Return the reference that is in COLUMN of MODEL, or NULL. */
const cm_reference_t *cm_settings_model_reference(const cm_model_t *model,
                                                  const char *column);

#endif
