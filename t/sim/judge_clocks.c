/* Whether nodes that show the same row have the same clocks for it: see
 * judge.h. */
#include "judging.h"

#include <stdlib.h>

#include <apr_strings.h>

#include "message.h"

/* Return what finds the clocks of the row with KEY, or the number of the column
 * NAME, of TABLE in a hash. */
static const char *key_of(const sim_judge_t *judge, int table, const char *name)
{
    return apr_psprintf(judge->pool, "%d %s", table, name);
}

/* Return SELECT's rows at NODE by their first two cells: a model or its class,
 * and a text; each is the array of its cells. */
static apr_hash_t *read_by_name(const sim_judge_t *judge, int node,
                                const char *sql)
{
    const apr_array_header_t *found = sim_node_select(
        &judge->world->nodes[node].sessions[0], sql, 4, judge->pool);
    apr_hash_t *rows = apr_hash_make(judge->pool);
    int i;

    for (i = 0; i < found->nelts; i++) {
        const char **cells = APR_ARRAY_IDX(found, i, const char **);
        const int table = (int)strtol(cells[0] + 1, NULL, 10);

        apr_hash_set(
            rows,
            key_of(judge, table,
                   sim_message_key(&judge->world->schema->tables[table],
                                   cells[1], judge->pool)),
            APR_HASH_KEY_STRING, cells);
    }
    return rows;
}

void sim_judge_read_clocks(sim_judge_t *judge, int node)
{
    judge->clocks[node] = read_by_name(
        judge, node,
        "SELECT local_record_type, local_record_id, clock, clocks FROM"
        " communicator_mappings WHERE deleted_at = 0 AND local_record_id IS NOT"
        " NULL");
    judge->numbers[node] =
        read_by_name(judge, node,
                     "SELECT m.type, c.name, c.number, NULL FROM"
                     " communicator_columns AS c JOIN communicator_models AS m"
                     " ON m.id = c.model");
}

/* Return how much older than its row the column NUMBER is, by CLOCKS: "AGE:"
 * with numbers and ranges of numbers, then perhaps the next age. */
static apr_int64_t age_of(const char *clocks, long number)
{
    apr_int64_t age = 0;
    char *at = (char *)clocks;

    while (at && *at) {
        const apr_int64_t value = apr_strtoi64(at, &at, 10);
        long last = (long)value;

        if (*at == ':')
            age = value;
        else if (*at == '-')
            last = strtol(at + 1, &at, 10);
        if (*at != ':' && number >= value && number <= last)
            return age;
        at += *at != '\0';
    }
    return 0;
}

/* Return the clock of COLUMN of ROW at NODE, or -1 if it is not known by the
 * number of the column. */
static apr_int64_t clock_of(const sim_judge_t *judge, int node,
                            const sim_row_t *row, const char *column)
{
    const char **found = row->key
                             ? apr_hash_get(judge->clocks[node],
                                            key_of(judge, row->table, row->key),
                                            APR_HASH_KEY_STRING)
                             : NULL;
    const char **number =
        apr_hash_get(judge->numbers[node], key_of(judge, row->table, column),
                     APR_HASH_KEY_STRING);

    if (!found || !number ||
        (found[3] && (*found[3] == '[' || *found[3] == '{')))
        return -1;
    return apr_atoi64(found[2]) - age_of(found[3], strtol(number[2], NULL, 10));
}

void sim_judge_clocks(sim_judge_t *judge, const sim_row_t *one,
                      const sim_row_t *other, int number)
{
    const sim_table_t *table = &judge->world->schema->tables[one->table];
    int i;

    for (i = 0; i < table->count; i++) {
        const char *name = table->columns[i].name;
        const apr_int64_t here = clock_of(judge, 0, one, name);
        const apr_int64_t there = clock_of(judge, number, other, name);

        if (here >= 0 && there >= 0 && here != there &&
            !table->columns[i].names &&
            sim_judge_is_common(judge->world->schema, table, i, 0, number))
            sim_world_fail(judge->world, "clocks",
                           "%s of %s: %s has %" APR_INT64_T_FMT
                           " at %s, %" APR_INT64_T_FMT " at %s",
                           one->name, table->name, name, here,
                           sim_schema_node_name(0), there,
                           sim_schema_node_name(number));
    }
}
