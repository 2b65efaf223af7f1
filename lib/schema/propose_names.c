/* Names: what a model is called, and which tables are better left out. */
#include "schema/propose_internal.h"

#include <string.h>
#include <strings.h>

#include <apr_fnmatch.h>
#include <apr_lib.h>
#include <apr_strings.h>

/* The endings of plurals, and what stands in their place. The first that fits
 * counts. */
static const struct {
    const char *plural, *singular;
} endings[] = {
    {"people", "person"},
    {"children", "child"},
    {"statuses", "status"},
    {"aliases", "alias"},
    {"buses", "bus"},
    {"viruses", "virus"},
    {"analyses", "analysis"},
    {"indices", "index"},
    {"matrices", "matrix"},
    {"movies", "movie"},
    {"cookies", "cookie"},
    {"shoes", "shoe"},
    {"caches", "cache"},
    {"news", "news"},
    {"series", "series"},
    {"species", "species"},
    {"ies", "y"},
    {"sses", "ss"},
    {"shes", "sh"},
    {"ches", "ch"},
    {"xes", "x"},
    {"oes", "o"},
    {"ss", "ss"},
    {"us", "us"},
    {"is", "is"},
    {"s", ""},
};

/* Return NAME, "blog_posts", for one of them: "blog_post". */
static const char *singular(const char *name, apr_pool_t *pool)
{
    size_t size = strlen(name), i;

    for (i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
        size_t end = strlen(endings[i].plural);

        if (size > end && !strcmp(name + size - end, endings[i].plural))
            return apr_psprintf(pool, "%.*s%s", (int)(size - end), name,
                                endings[i].singular);
        if (size == end && !strcmp(name, endings[i].plural) && end > 3)
            return endings[i].singular;
    }
    return name;
}

/* Return NAME in small letters, digits and "_": "shop.OrderLines" is
 * "shop_order_lines". */
static const char *small(const char *name, apr_pool_t *pool)
{
    char *text = apr_palloc(pool, 2 * strlen(name) + 3), *to = text;
    const char *from;

    if (!apr_isalpha(*name))
        *to++ = 't';
    for (from = name; *from; from++) {
        if (apr_isupper(*from) && from > name &&
            (apr_islower(from[-1]) || apr_isdigit(from[-1])))
            *to++ = '_';
        *to++ = apr_isalnum(*from) ? (char)apr_tolower(*from) : '_';
    }
    *to = '\0';
    return text;
}

const char *cm_propose_names_singular(const char *name, apr_pool_t *pool)
{
    return singular(small(name, pool), pool);
}

/* Return whether A and B are the same name without "_": then their types may be
 * the same (settings.h). */
static int is_alike(const char *a, const char *b)
{
    for (;; a++, b++) {
        while (*a == '_')
            a++;
        while (*b == '_')
            b++;
        if (*a != *b)
            return 0;
        if (!*a)
            return 1;
    }
}

/* Return whether NAME would be that of another proposal, or of a model that is
 * configured for another table. With BEFORE only earlier proposals count. */
static int is_taken(const cm_proposing_t *proposing, const char *name, int own,
                    int before)
{
    const apr_array_header_t *models = proposing->settings->models;
    int i;

    for (i = 0; i < models->nelts; i++)
        if (is_alike(APR_ARRAY_IDX(models, i, cm_model_t *)->name, name))
            return 1;
    for (i = 0; i < (before ? own : proposing->all->nelts); i++)
        if (i != own && cm_proposal(proposing->all, i)->model &&
            is_alike(cm_proposal(proposing->all, i)->model, name))
            return 1;
    return 0;
}

/* Two tables that would have the same name keep the whole of theirs. */
static void tell_apart(const cm_proposing_t *proposing)
{
    apr_pool_t *pool = proposing->pool;
    int i, number;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *proposal = cm_proposal(proposing->all, i);
        const char *whole = small(proposal->table->name, pool);

        if (proposal->configured || !is_taken(proposing, proposal->model, i, 0))
            continue;
        proposal->model = whole;
        for (number = 2; is_taken(proposing, proposal->model, i, 1); number++)
            proposal->model = apr_psprintf(pool, "%s_%d", whole, number);
    }
}

void cm_propose_names(const cm_proposing_t *proposing)
{
    int i;

    for (i = 0; i < proposing->all->nelts; i++) {
        cm_proposal_t *proposal = cm_proposal(proposing->all, i);

        proposal->model = proposal->configured
                              ? proposal->configured->name
                              : cm_propose_names_singular(proposal->table->name,
                                                          proposing->pool);
    }
    tell_apart(proposing);
}

static const char migrations[] =
    "it lists the migrations that have run in this database";
static const char sessions[] = "it holds the sessions of this host's visitors";
static const char cache[] = "it is a cache";
static const char options[] =
    "it holds the addresses of this host's site, and what its plugins cache, "
    "and no unique index on option_name tells its rows apart";
static const char numbers[] =
    "it holds the next numbers that this database gives";
static const char jobs[] = "it is a queue of jobs: both sides would run them";

/* Names of tables that belong to one host. Where the name may also mean
 * something else, a COLUMN tells. */
static const struct {
    const char *pattern, *column, *why;
} unfit[] = {
    {"schema_migrations", NULL, migrations},
    {"ar_internal_metadata", NULL, migrations},
    {"django_migrations", NULL, migrations},
    {"migrations", "batch", migrations},
    {"migration_versions", NULL, migrations},
    {"doctrine_migration_versions", NULL, migrations},
    {"alembic_version", NULL, migrations},
    {"flyway_schema_history", NULL, migrations},
    {"schema_version", NULL, migrations},
    {"databasechangelog", NULL, migrations},
    {"databasechangeloglock", NULL, migrations},
    {"knex_migrations*", NULL, migrations},
    {"sequelizemeta", NULL, migrations},
    {"_prisma_migrations", NULL, migrations},
    {"goose_db_version", NULL, migrations},
    {"phinxlog", NULL, migrations},
    {"__efmigrationshistory", NULL, migrations},
    {"schema_info", "version", migrations},
    {"sessions", "data", sessions},
    {"sessions", "payload", sessions},
    {"sessions", "session_id", sessions},
    {"session", "data", sessions},
    {"session", "session_data", sessions},
    {"session", "sess", sessions},
    {"django_session", NULL, sessions},
    {"ci_sessions", NULL, sessions},
    {"active_sessions", NULL, sessions},
    {"*_sessions", "session_id", sessions},
    {"*_sessions", "session_key", sessions},
    {"*_sessions", "sid", sessions},
    {"spring_session*", NULL, sessions},
    {"cache", NULL, cache},
    {"objectcache", NULL, cache},
    {"caches", NULL, cache},
    {"cache_*", NULL, cache},
    {"*_cache", NULL, cache},
    {"*_caches", NULL, cache},
    {"*_cache_entries", NULL, cache},
    {"*options", "autoload", options},
    {"jobs", "payload", jobs},
    {"failed_jobs", NULL, jobs},
    {"job_batches", NULL, jobs},
    {"delayed_jobs", NULL, jobs},
    {"solid_queue_*", NULL, jobs},
    {"good_job*", NULL, jobs},
    {"que_jobs", NULL, jobs},
    {"celery_task*", NULL, jobs},
    {"oban_*", NULL, jobs},
    {"qrtz_*", NULL, jobs},
    {"messenger_messages", NULL, jobs},
    {"*actionscheduler_*", NULL, jobs},
    {"ids", "nextid", numbers},
    {"hibernate_sequence*", NULL, numbers},
};

/* Names of columns that say where a row stands. */
static const char *const places[] = {
    "lft",      "rgt",   "left_id",    "right_id",   "lt",        "rt",
    "position", "pos",   "sort_order", "sort",       "ordering",  "ordinal",
    "rank",     "place", "weight",     "sort_index", "seq_index", NULL};

/* Return the name of TABLE without its schema. */
static const char *plain_name(const cm_catalog_table_t *table)
{
    const char *dot = strrchr(table->name, '.');

    return dot ? dot + 1 : table->name;
}

const char *cm_propose_names_filter(const char **match,
                                    const cm_catalog_table_t *table)
{
    int i;

    *match = "option_name";
    if (apr_fnmatch("*options", plain_name(table), APR_FNM_CASE_BLIND) ||
        !cm_catalog_column(table, "autoload"))
        return NULL;
    for (i = 0; i < table->uniques->nelts; i++) {
        const apr_array_header_t *columns =
            APR_ARRAY_IDX(table->uniques, i, cm_catalog_unique_t).columns;
        const char *first = APR_ARRAY_IDX(columns, 0, const char *);

        if (columns->nelts == 1 && first && !strcmp(first, *match))
            return "option_name NOT IN ('siteurl', 'home', 'cron', "
                   "'rewrite_rules') AND option_name NOT LIKE '%transient%'";
    }
    return NULL;
}

const char *cm_propose_names_unfit(const cm_catalog_table_t *table)
{
    const char *name = plain_name(table), *match;
    size_t i;

    if (cm_propose_names_filter(&match, table))
        return NULL;
    for (i = 0; i < sizeof(unfit) / sizeof(*unfit); i++)
        if (!apr_fnmatch(unfit[i].pattern, name, APR_FNM_CASE_BLIND) &&
            (!unfit[i].column || cm_catalog_column(table, unfit[i].column)))
            return unfit[i].why;
    return NULL;
}

int cm_propose_names_place(const apr_array_header_t *columns)
{
    int i, j;

    for (i = 0; i < columns->nelts; i++) {
        const char *name = APR_ARRAY_IDX(columns, i, const char *);

        for (j = 0; name && places[j]; j++)
            if (!strcasecmp(name, places[j]))
                return 1;
    }
    return 0;
}
