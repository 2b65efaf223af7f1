/* The simulator: nodes that exchange messages within one process, driven by a
 * seed, with the time, the network and the failures in its hand.
 *
 *   sim --seeds 1-1000
 *   sim --seconds 20              fresh seeds
 *   sim --seconds 20 --first      up to the first failure
 *   sim --seconds 20 --nodes 0    pairs and three nodes alternately
 *   sim --seconds 20 --with tied  only schemas with that (schema.h)
 *   sim --seconds 20 --style moves  all histories in that style (history.c)
 *   sim --seed 4711 -v            one history, each step
 *   sim --seed 4711 --shrink      the fewest steps that still fail
 */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_strings.h>

#include "shrink.h"
#include "sqlite.h"
#include "world.h"

/* So many histories in a row share a schema, whose empty databases are made
 * only once. */
#define HISTORIES 16

typedef struct options_t {
    apr_uint64_t first, last;
    int seconds;
    int steps, nodes; /* 0 nodes: now two, now three */
    sim_database_e databases[SIM_NODES];
    const char *pairing;
    int verbose, shrinks;
    int only_first;    /* end with the first failure */
    const char *with;  /* what the schemas must have; NULL: nothing */
    const char *style; /* of the histories; NULL: as the seeds want it */
    apr_pool_t *pool;
} options_t;

static const char *run(sim_history_t *history, sim_schema_t *schema,
                       int verbose, apr_pool_t *result_pool)
{
    sim_world_t *world;
    apr_pool_t *pool;
    const char *failure;

    apr_pool_create(&pool, NULL);
    world = apr_pcalloc(pool, sizeof(*world));
    world->schema = schema;
    world->history = history;
    world->verbose = verbose;
    world->pool = pool;
    sim_world_run(world);
    failure = apr_pstrdup(result_pool, world->failure);
    apr_pool_destroy(pool);
    return failure;
}

static const char *try_again(sim_history_t *history, void *baton)
{
    const options_t *options = baton;

    return run(history, (sim_schema_t *)history->schema, 0, options->pool);
}

/* Pairs and three nodes alternately, unless one of them is asked for. */
static int nodes_of(const options_t *options, apr_uint64_t seed)
{
    return options->nodes ? options->nodes : 2 + (int)(seed / HISTORIES % 2);
}

static void make(sim_history_t *history, sim_schema_t *schema,
                 const options_t *options, apr_uint64_t seed, apr_pool_t *pool)
{
    sim_schema_make(schema, seed / HISTORIES, nodes_of(options, seed),
                    options->databases);
    sim_history_make(history, schema, seed, options->steps, options->style,
                     pool);
}

/* Print what is left of a history that was shrunk, for a person to play. */
static void print(const sim_history_t *history, apr_pool_t *pool)
{
    int i, j;

    for (i = 0; i < history->schema->nodes; i++) {
        apr_array_header_t *ddl = sim_schema_ddl(history->schema, i, pool);

        printf("# %s:\n%s", sim_schema_node_name(i),
               sim_schema_configuration(history->schema, i, pool));
        for (j = 0; j < ddl->nelts; j++)
            printf("    %s;\n", APR_ARRAY_IDX(ddl, j, const char *));
    }
    for (i = 0; i < history->steps->nelts; i++) {
        const sim_step_t *step = &APR_ARRAY_IDX(history->steps, i, sim_step_t);

        if (!step->gone)
            printf("%s\n", sim_history_words(history->schema, step, pool));
    }
}

static const char *play_seed(const options_t *options, apr_uint64_t seed)
{
    sim_schema_t schema;
    sim_history_t history;
    apr_pool_t *pool;
    const char *failure;

    apr_pool_create(&pool, options->pool);
    make(&history, &schema, options, seed, pool);
    if (options->verbose && !options->shrinks)
        print(&(sim_history_t){.schema = &schema,
                               .steps = apr_array_make(pool, 1, 1)},
              pool);
    failure = run(&history, &schema, options->shrinks ? 0 : options->verbose,
                  options->pool);
    if (failure) {
        printf("seed %" APR_UINT64_T_FMT ": %s; again: sim --database %s "
               "--nodes %d --steps %d%s%s%s%s --seed %" APR_UINT64_T_FMT
               " -v\n",
               seed, failure, options->pairing, nodes_of(options, seed),
               options->steps, options->with ? " --with " : "",
               options->with ? options->with : "",
               options->style ? " --style " : "",
               options->style ? options->style : "", seed);
        if (options->shrinks) {
            failure = sim_shrink(&history, &schema, failure, try_again,
                                 (void *)options);
            print(&history, pool);
            printf("# %s\n", failure);
            if (options->verbose)
                (void)run(&history, &schema, options->verbose, options->pool);
        }
        fflush(stdout);
    }
    apr_pool_destroy(pool);
    return failure;
}

/* Return whether the history of SEED is one of those that are asked for. */
static int is_asked_for(const options_t *options, apr_uint64_t seed)
{
    sim_schema_t schema;

    if (!options->with && !options->style)
        return 1;
    sim_schema_make(&schema, seed / HISTORIES, nodes_of(options, seed),
                    options->databases);
    return (!options->with || sim_schema_is_like(&schema, options->with)) &&
           (!options->style || sim_history_fits(options->style, &schema));
}

static int play_all(options_t *options)
{
    apr_time_t began = sim_clock_real();
    apr_uint64_t seed;
    const char *failure;
    int count = 0, failed = 0;
    double seconds, used;

    for (seed = options->first; seed <= options->last; seed++) {
        if (options->seconds &&
            sim_clock_real() - began >= apr_time_from_sec(options->seconds))
            break;
        if (!is_asked_for(options, seed))
            continue;
        count++;
        failure = play_seed(options, seed);
        failed += failure != NULL;
        /* Without a place for databases all that follow fail, too. */
        if (failure && (options->only_first || !strncmp(failure, "setup:", 6)))
            break;
    }
    seconds = (double)(sim_clock_real() - began) / 1e6;
    used = (double)clock() / CLOCKS_PER_SEC;
    printf("%d histories from seed %" APR_UINT64_T_FMT
           ", %d failed; %.1f s, %.1f histories per second, %.1f per second of "
           "its own CPU\n",
           count, options->first, failed, seconds, count / seconds,
           count / used);
    return failed ? 1 : 0;
}

static sim_database_e database_of(const char *name)
{
    static const char *const names[] = {"sqlite3", "pgsql", "mysql"};
    int i;

    for (i = 0; i < 3; i++)
        if (!strncmp(names[i], name, strlen(names[i])))
            return (sim_database_e)i;
    fprintf(stderr, "sim: unknown database '%s'\n", name);
    exit(64);
}

/* "sqlite3", or one name per node: "pgsql/mysql". */
static void read_pairing(options_t *options, const char *text)
{
    int i;

    options->pairing = text;
    for (i = 0; i < SIM_NODES; i++) {
        const char *next = strchr(text, '/');

        options->databases[i] = database_of(text);
        if (next)
            text = next + 1;
    }
}

static void read_seeds(options_t *options, const char *text)
{
    char *end;

    options->first = options->last = strtoull(text, &end, 10);
    if (*end == '-')
        options->last = strtoull(end + 1, NULL, 10);
}

static void read_options(options_t *options, int argc, char **argv)
{
    static const struct option known[] = {
        {"seed", 1, NULL, 's'},    {"seeds", 1, NULL, 's'},
        {"seconds", 1, NULL, 'S'}, {"database", 1, NULL, 'd'},
        {"steps", 1, NULL, 'n'},   {"nodes", 1, NULL, 'N'},
        {"shrink", 0, NULL, 'k'},  {"verbose", 0, NULL, 'v'},
        {"first", 0, NULL, 'f'},   {"with", 1, NULL, 'w'},
        {"style", 1, NULL, 'y'},   {NULL, 0, NULL, 0}};
    int letter;

    while ((letter = getopt_long(argc, argv, "v", known, NULL)) != -1)
        switch (letter) {
        case 's':
            read_seeds(options, optarg);
            break;
        case 'S':
            options->seconds = (int)strtol(optarg, NULL, 10);
            break;
        case 'd':
            read_pairing(options, optarg);
            break;
        case 'n':
            options->steps = (int)strtol(optarg, NULL, 10);
            break;
        case 'N':
            options->nodes = (int)strtol(optarg, NULL, 10);
            break;
        case 'k':
            options->shrinks = 1;
            break;
        case 'f':
            options->only_first = 1;
            break;
        case 'w':
            options->with = optarg;
            break;
        case 'y':
            options->style = optarg;
            if (!sim_history_has_style(optarg))
                exit(64);
            break;
        case 'v':
            options->verbose++;
            break;
        default:
            exit(64);
        }
}

/* A folder that needs no disk, if there is one. */
static const char *make_folder(apr_pool_t *pool)
{
    const char *path = apr_psprintf(
        pool, "%s/communicator-sim-%ld",
        access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (long)getpid());

    mkdir(path, 0700);
    return path;
}

static void remove_folder(const char *path, apr_pool_t *pool)
{
    int i;

    for (i = 0; i < SIM_NODES; i++)
        unlink(sim_node_path("conf", i, pool));
    rmdir(path);
}

/* What was freed is wanted again at once. */
static void keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 28);
    mallopt(M_TRIM_THRESHOLD, 1 << 28);
    mallopt(M_TOP_PAD, 1 << 24);
}

int main(int argc, char **argv)
{
    options_t options = {.steps = 40, .nodes = 2, .pairing = "sqlite3"};
    const char *folder;
    int failed;

    keep_memory();
    sim_sqlite_begin();
    apr_initialize();
    apr_pool_create(&options.pool, NULL);
    apr_dbd_init(options.pool);
    read_options(&options, argc, argv);
    if (options.seconds && !options.last) {
        options.first = (apr_uint64_t)sim_clock_real() / 1000 * HISTORIES;
        options.last = APR_UINT64_MAX;
    }
    folder = make_folder(options.pool);
    sim_node_use(folder);
    setvbuf(stdout, NULL, _IOLBF, 0);
    failed = play_all(&options);
    sim_node_drop_all();
    remove_folder(folder, options.pool);
    return failed;
}
