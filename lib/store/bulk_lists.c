/* Rows found by lists of keys: see bulk_lists.h. */
#include "store/bulk_lists.h"

#include <string.h>

#include <apr_strings.h>

#define LONGEST (1024 * 1024)

static int is_integer(const cm_datum_t *cell)
{
    apr_size_t sign, digits;

    if (!cell->data || cell->binary)
        return 0;
    sign = *cell->data == '-';
    digits = strspn(cell->data + sign, "0123456789");
    return digits > 0 && digits <= 20 && sign + digits == cell->size;
}

/* Return whether BULK is no larger than a batch is by default, and fits in a
 * packet even if every byte has to be escaped. */
static int is_short(const cm_bulk_t *bulk, apr_size_t packet_limit)
{
    const cm_datum_t *cells = (const cm_datum_t *)bulk->cells->elts;
    apr_size_t size = 0;
    int i;

    for (i = 0; i < bulk->cells->nelts; i++)
        size += cells[i].size + 8;
    return size <= LONGEST && (!packet_limit || 3 * size < packet_limit);
}

int cm_bulk_lists_can_update(const cm_bulk_t *bulk, apr_size_t packet_limit)
{
    const char *type = bulk->columns[0].type;
    const cm_bulk_chunk_t all = {.bulk = bulk};
    int i;

    if (bulk->key_count != 1 || !type || !strstr(type, "int"))
        return 0;
    for (i = 0; i < cm_bulk_rows(bulk); i++)
        if (!is_integer(cm_bulk_chunk_row(&all, i)))
            return 0;
    return is_short(bulk, packet_limit);
}

const char *cm_bulk_lists_numbers(const cm_bulk_chunk_t *chunk,
                                  apr_pool_t *pool)
{
    apr_array_header_t *numbers =
        apr_array_make(pool, chunk->rows, sizeof(char *));
    int i;

    for (i = 0; i < chunk->rows; i++)
        APR_ARRAY_PUSH(numbers, const char *) =
            cm_bulk_chunk_row(chunk, i)->data;
    return apr_array_pstrcat(pool, numbers, ',');
}

/* The first assignment finds the place, the others use it: they are made from
 * left to right. */
const char *cm_bulk_lists_assignments(const cm_bulk_chunk_t *chunk,
                                      apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    const char *values = cm_dialect_repeat("%s", ",", chunk->rows, pool);
    const char *text = "", *place;
    int i;

    place = apr_pstrcat(pool, "@communicator_place := FIELD(t.",
                        bulk->columns[0].name, ",",
                        cm_bulk_lists_numbers(chunk, pool), ")", NULL);
    for (i = 1; i < bulk->column_count; i++) {
        text = apr_pstrcat(pool, text, i > 1 ? ", t." : "t.",
                           bulk->columns[i].name, " = ", NULL);
        if (chunk->same[i]) {
            text = apr_pstrcat(pool, text, "%s", NULL);
            continue;
        }
        text = apr_pstrcat(pool, text, "ELT(", place, ",", values, ")", NULL);
        place = "@communicator_place";
    }
    return text;
}

const cm_datum_t *cm_bulk_lists_arguments(int *count,
                                          const cm_bulk_chunk_t *chunk,
                                          apr_pool_t *pool)
{
    const cm_bulk_t *bulk = chunk->bulk;
    apr_array_header_t *arguments = apr_array_make(
        pool, chunk->rows * bulk->column_count, sizeof(cm_datum_t));
    int i, j;

    for (j = 1; j < bulk->column_count; j++)
        for (i = 0; i < (chunk->same[j] ? 1 : chunk->rows); i++)
            APR_ARRAY_PUSH(arguments, cm_datum_t) =
                cm_bulk_chunk_row(chunk, i)[j];
    *count = arguments->nelts;
    return (const cm_datum_t *)arguments->elts;
}
