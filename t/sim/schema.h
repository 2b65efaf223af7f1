/* A random schema: the application's tables, what differs between the nodes,
 * and what each node's configuration says about them. */
#ifndef SIM_SCHEMA_H
#define SIM_SCHEMA_H

#include <apr_tables.h>

#include "clock.h"
#include "kinds.h"

#define SIM_TABLES  5
#define SIM_COLUMNS 8

typedef enum sim_key_e {
    SIM_KEY_SERIAL, /* the database never gives an id twice */
    SIM_KEY_REUSED, /* SQLite: the highest id may be given again */
    SIM_KEY_TEXT,   /* keys=shared */
    SIM_KEY_UUID,   /* keys=shared */
    SIM_KEY_JOINED  /* the first columns, references; there is no id */
} sim_key_e;

/* What a foreign key does when the parent is deleted. */
typedef enum sim_rule_e {
    SIM_RULE_NONE, /* there is no foreign key */
    SIM_RULE_REFUSE,
    SIM_RULE_SET_NULL,
    SIM_RULE_CASCADE
} sim_rule_e;

typedef struct sim_column_t {
    char name[16];
    sim_kind_e kind;
    int not_null, unique;
    int parent;                 /* table, for SIM_REFERENCE */
    int other;                  /* a second one: the next column says which of
                                   the two is meant; or -1 */
    int names;                  /* it says that of the column before */
    int zero;                   /* 0 refers to nothing, and NULL cannot be */
    int deferred;               /* its foreign key is checked at the commit */
    sim_rule_e rule[SIM_NODES]; /* by node */
    unsigned nodes;             /* bits: which nodes have it */
    unsigned except;            /* bits: which nodes do not carry it */
    unsigned dropped;           /* bits: where it is not there just now */
    unsigned altered;           /* bits: where that was so once */
    int counts;                 /* only a trigger writes it: trigger.c */
    int gone;                   /* left out by shrinking */
} sim_column_t;

typedef struct sim_table_t {
    char name[16];
    sim_key_e key;
    int count;
    sim_column_t columns[SIM_COLUMNS];
    int paired;       /* the key has a second column, "part" */
    int joined;       /* how many columns are the key of SIM_KEY_JOINED */
    int says_shared;  /* keys=shared, whatever its parents say */
    int match;        /* the column that match= names, or -1 */
    int publisher;    /* the only node that publishes; -1: all do */
    int wins;         /* the node that conflict= names; -1: newest */
    int holds;        /* bits: nodes with conflict=hold */
    int filter;       /* the column of one node that where= asks for there, or
                         -1 */
    int leaves;       /* leave=delete */
    int tied;         /* the column that must refer to a row whose own such
                         column must refer to a row of this table; or -1 */
    int keeps;        /* deletes=no */
    int lists;        /* only= instead of except= */
    int loose;        /* no unique index on the key */
    unsigned copied;  /* bits: nodes where CommunicatorAfterApply copies tags */
    unsigned returns; /* bits: nodes where a trigger puts deleted rows back */
    unsigned counted; /* bits: where one counts the updates of a parent */
    int gone;         /* left out by shrinking */
} sim_table_t;

/* Two nodes that exchange messages. All links together are a tree. */
typedef struct sim_link_t {
    int caller, callee;
} sim_link_t;

typedef struct sim_schema_t {
    apr_uint64_t seed;
    int nodes;
    sim_link_t links[SIM_NODES - 1];
    sim_database_e databases[SIM_NODES];
    unsigned rows;  /* bits: nodes with CommunicatorHistory rows */
    unsigned stops; /* bits: nodes with CommunicatorOnError stop */
    int lives;      /* keys begin many lives, and children hold their parents */
    int outlives;   /* rows outlive the parents that they need */
    int held;       /* people decide about all conflicts */
    int plain;      /* no triggers: most updates go the fast way */
    int matched;    /* rows of both sides are found to be the same */
    int count;
    sim_table_t tables[SIM_TABLES];
} sim_schema_t;

/* Make the schema of SEED for nodes on DATABASES. */
void sim_schema_make(sim_schema_t *schema, apr_uint64_t seed, int nodes,
                     const sim_database_e *databases);

/* Return whether SCHEMA has WORD: lives, outlives, held, matched, plain, stops,
 * or a table with it: joined, either, filter, tied, returns, keeps, leaves; or
 * cascades: rows that go with a row of a shared key; or unseen: rows with a row
 * filter that may exchange unique values; or lacks: a column that is not at all
 * nodes. */
int sim_schema_is_like(const sim_schema_t *schema, const char *word);

/* Return whether COLUMN of TABLE is there at NODE. */
int sim_schema_has(const sim_table_t *table, const sim_column_t *column,
                   int node);

/* Return whether a node's database is on a server. */
int sim_schema_is_served(const sim_schema_t *schema);

/* Return the databases of all nodes: bits. */
unsigned sim_schema_databases(const sim_schema_t *schema);

/* Return whether COLUMN of TABLE travels between ONE and OTHER: it is there,
 * and all nodes carry it. */
int sim_schema_carries(const sim_schema_t *schema, const sim_table_t *table,
                       const sim_column_t *column, int one, int other);

/* Return the condition of TABLE at NODE: where=; NULL: there is none. */
const char *sim_schema_filter(const sim_table_t *table, int node,
                              apr_pool_t *pool);

/* Return whether rows of TABLE may stay at NODE, by a row filter of the table
 * or of one that it must refer to. */
int sim_schema_may_stay(const sim_schema_t *schema, int node,
                        const sim_table_t *table, apr_pool_t *pool);

/* Return whether rows of TABLE are called by what several rows may have, one
 * after the other: their key, the rows that it refers to, or the column of
 * match=. Else by their tag. */
int sim_schema_is_reused(const sim_table_t *table);

/* Return the name of the column by which rows of TABLE are called, unless its
 * key is references. */
const char *sim_schema_name(const sim_table_t *table);

/* Return the name of the column that references to TABLE name. */
const char *sim_schema_key(const sim_table_t *table);

/* Return whether COLUMN may refer to rows of table NUMBER. */
int sim_schema_refers(const sim_column_t *column, int number);

/* Return whether both sides use the same keys. */
int sim_schema_is_shared(const sim_table_t *table);

/* Return the type of COLUMN at NODE. */
const char *sim_schema_type(const sim_schema_t *schema, int node,
                            const sim_column_t *column);

/* Return the statements (const char *) that create the tables of NODE. */
apr_array_header_t *sim_schema_ddl(const sim_schema_t *schema, int node,
                                   apr_pool_t *pool);

/* Return the lines of the configuration of NODE, but for its database. */
const char *sim_schema_configuration(const sim_schema_t *schema, int node,
                                     apr_pool_t *pool);

/* Return what NODE, or the column KIND at DATABASE, is called. */
const char *sim_schema_node_name(int node);

#endif
