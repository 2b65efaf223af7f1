/* Stretches of records and their digests: see verify.h. */
#include <stdlib.h>
#include <string.h>

#include <apr_md5.h>
#include <apr_strings.h>

#include "verify/verify.h"

/* Select EXPRESSIONS of the mappings of STRETCH in order, with REST (SQL). */
static cm_error_t *select_stretch(cm_rows_t **rows, const cm_verify_t *verify,
                                  const cm_stretch_t *stretch,
                                  const char *expressions, const char *rest,
                                  apr_pool_t *pool)
{
    const cm_datum_t arguments[] = {cm_datum_text(stretch->origin),
                                    cm_datum_text(stretch->after),
                                    cm_datum_text(stretch->until)};
    const cm_records_t *records;

    CM_TRY(cm_node_records(&records, verify->node, verify->table->model->type,
                           pool));
    CM_TRY_FOR(
        cm_statement_select(
            rows, verify->node->store,
            apr_pstrcat(pool, "SELECT ", expressions, " FROM ", records->table,
                        " WHERE origin = %s AND original_id > %s",
                        stretch->until ? " AND original_id <= %s" : "",
                        " AND local_id IS NOT NULL AND deleted_at IS NULL"
                        " ORDER BY original_id",
                        rest, NULL),
            arguments, stretch->until ? 3 : 2, pool),
        pool, "cannot read the mappings");
    return NULL;
}

cm_error_t *cm_verify_read_bound(const char **bound, const cm_verify_t *verify,
                                 const cm_stretch_t *stretch, int count,
                                 apr_pool_t *pool)
{
    cm_rows_t *rows;

    CM_TRY(select_stretch(&rows, verify, stretch, "original_id",
                          apr_psprintf(pool, " LIMIT 1 OFFSET %d", count - 1),
                          pool));
    *bound = rows->count ? cm_cell_text(rows, 0, 0) : NULL;
    return NULL;
}

static void digest_value(apr_md5_ctx_t *context, const cm_value_t *value)
{
    apr_int64_t size = value->kind <= CM_NULL ? -1 : (apr_int64_t)value->size;
    char head[24];
    int length =
        apr_snprintf(head, sizeof(head), "%" APR_INT64_T_FMT ":", size);

    apr_md5_update(context, head, length);
    if (size > 0)
        apr_md5_update(context, value->data, value->size);
}

static apr_uint64_t word_of(const unsigned char *bytes)
{
    apr_uint64_t word = 0;
    int i;

    for (i = 0; i < 8; i++)
        word = word << 8 | bytes[i];
    return word;
}

/* Return the digest of a record: who it is, and its values. */
static cm_digest_t digest_record(const cm_verify_t *verify, const char *origin,
                                 const char *id, const cm_value_t *values)
{
    unsigned char bytes[APR_MD5_DIGESTSIZE];
    cm_digest_t digest;
    apr_md5_ctx_t context;
    int i;

    apr_md5_init(&context);
    apr_md5_update(&context, origin, strlen(origin) + 1);
    apr_md5_update(&context, id, strlen(id) + 1);
    for (i = 0; i < verify->columns->nelts; i++)
        digest_value(&context, &values[i]);
    apr_md5_final(bytes, &context);
    digest.high = word_of(bytes);
    digest.low = word_of(bytes + 8);
    return digest;
}

static int compare_items(const void *a, const void *b)
{
    const cm_verify_item_t *left = a, *right = b;

    return strcmp(left->original_id, right->original_id);
}

/* Add the items of the COUNT mappings in ROWS from FIRST on, whose records
 * are here. */
static cm_error_t *add_items(apr_array_header_t *items, apr_size_t *bytes,
                             const cm_verify_t *verify, const char *origin,
                             const cm_rows_t *rows, int first, int count,
                             apr_pool_t *pool)
{
    const char **ids = apr_palloc(pool, count * sizeof(*ids));
    const cm_value_t **values;
    int i;

    for (i = 0; i < count; i++)
        ids[i] = cm_cell_text(rows, first + i, 1);
    CM_TRY(cm_verify_values(&values, bytes, verify, ids, count, pool));
    for (i = 0; i < count; i++) {
        const char *id = cm_cell_text(rows, first + i, 0);

        if (values[i])
            APR_ARRAY_PUSH(items, cm_verify_item_t) = (cm_verify_item_t){
                .original_id = id,
                .digest = digest_record(verify, origin, id, values[i]),
                .clock = cm_cell_number(rows, first + i, 2)};
    }
    return NULL;
}

cm_error_t *cm_verify_read_items(apr_array_header_t **items,
                                 const cm_verify_t *verify,
                                 const cm_stretch_t *stretch,
                                 apr_pool_t *result_pool)
{
    int first, count = 0;
    apr_size_t bytes = 0;
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;
    cm_rows_t *rows;

    CM_TRY(select_stretch(&rows, verify, stretch,
                          "original_id, local_id, clock", "", result_pool));
    *items =
        apr_array_make(result_pool, rows->count + 1, sizeof(cm_verify_item_t));
    apr_pool_create(&iterpool, result_pool);
    for (first = 0; !err && first < rows->count; first += count) {
        apr_pool_clear(iterpool);
        count = cm_verify_values_pace(count, bytes);
        if (count > rows->count - first)
            count = rows->count - first;
        err = add_items(*items, &bytes, verify, stretch->origin, rows, first,
                        count, iterpool);
    }
    if (err)
        err = cm_error_copy(err, result_pool);
    apr_pool_destroy(iterpool);
    qsort((*items)->elts, (*items)->nelts, sizeof(cm_verify_item_t),
          compare_items);
    return err;
}

apr_array_header_t *cm_verify_read_parts(const apr_array_header_t *items,
                                         const apr_array_header_t *bounds,
                                         apr_pool_t *pool)
{
    apr_array_header_t *parts =
        apr_array_make(pool, bounds->nelts, sizeof(cm_verify_part_t));
    int i, at = 0;

    for (i = 0; i < bounds->nelts; i++) {
        const char *bound = APR_ARRAY_IDX(bounds, i, const char *);
        cm_verify_part_t part = {0};

        for (; at < items->nelts; at++) {
            const cm_verify_item_t *item =
                &APR_ARRAY_IDX(items, at, cm_verify_item_t);

            if (bound && strcmp(item->original_id, bound) > 0)
                break;
            part.count++;
            part.digest.low += item->digest.low;
            part.digest.high +=
                item->digest.high + (part.digest.low < item->digest.low);
        }
        APR_ARRAY_PUSH(parts, cm_verify_part_t) = part;
    }
    return parts;
}

apr_array_header_t *cm_verify_read_cut(const apr_array_header_t *bounds,
                                       const char *until, apr_pool_t *pool)
{
    apr_array_header_t *kept = apr_array_copy(pool, bounds);
    int i;

    for (i = 0; i < bounds->nelts; i++) {
        const char *bound = APR_ARRAY_IDX(bounds, i, const char *);

        if (!bound || strcmp(bound, until) >= 0)
            break;
    }
    kept->nelts = i;
    APR_ARRAY_PUSH(kept, const char *) = until;
    return kept;
}
