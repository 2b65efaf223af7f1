/* Which record it is: see identity.h. */
#include "record/identity.h"

#include <string.h>

#include <apr_strings.h>

#include "base/json.h"
#include "base/json_write.h"
#include "base/number.h"
#include "base/utf8.h"

/* Characters that fit the columns for names. */
#define NAME_LENGTH 255

/* U+001F, between an id and the number of its life. */
#define LIFE_MARK 0x1f

cm_error_t *cm_identity_read_name(const char **name, const cm_value_t *value,
                                  const char *what, apr_pool_t *pool)
{
    if (strlen(value->data) != value->size)
        return CM_FAIL(pool, CM_MALFORMED, "%s contains U+0000", what);
    if (cm_utf8_count(value->data, value->size) > NAME_LENGTH)
        return CM_FAIL(pool, CM_MALFORMED, "%s is longer than %d characters",
                       what, NAME_LENGTH);
    *name = value->data;
    return NULL;
}

/* Read an original_id: 11, "11" and 11.0 are the same. */
static cm_error_t *read_original_id(const char **id, const cm_value_t *value,
                                    apr_pool_t *pool)
{
    apr_int64_t number;

    if (value->kind == CM_NUMBER && cm_json_integer(&number, value)) {
        *id = apr_psprintf(pool, "%" APR_INT64_T_FMT, number);
        return NULL;
    }
    if (value->kind != CM_TEXT && value->kind != CM_NUMBER)
        return CM_FAIL(pool, CM_MALFORMED,
                       "original_id is neither a number nor text");
    return cm_identity_read_name(id, value, "original_id", pool);
}

cm_error_t *cm_identity_read(cm_identity_t *identity, const cm_value_t *origin,
                             const cm_value_t *original_id, apr_pool_t *pool)
{
    identity->origin = identity->original_id = NULL;
    if (origin->kind <= CM_NULL || original_id->kind <= CM_NULL)
        return NULL;
    if (origin->kind != CM_TEXT)
        return CM_FAIL(pool, CM_MALFORMED, "origin is not text");
    CM_TRY(read_original_id(&identity->original_id, original_id, pool));
    return cm_identity_read_name(&identity->origin, origin, "origin", pool);
}

int cm_identity_id_is_exact(const char *id)
{
    const apr_int64_t exact = APR_INT64_C(1) << 53;
    cm_value_t value = cm_value_of(CM_TEXT, id);
    apr_int64_t number;
    char room[CM_NUMBER_ROOM];

    return *id && cm_json_integer(&number, &value) && number <= exact &&
           number >= -exact && !strcmp(cm_number_text(room, number), id);
}

void cm_identity_write_id(cm_buffer_t *json, const char *name, const char *id)
{
    if (id && cm_identity_id_is_exact(id))
        cm_json_write_raw(json, name, id, strlen(id));
    else
        cm_json_write_text(json, name, id);
}

const char *cm_identity_key(cm_identity_t identity, apr_pool_t *pool)
{
    char room[CM_NUMBER_ROOM];

    if (!identity.origin || !identity.original_id)
        return "";
    return apr_pstrcat(
        pool, cm_number_text(room, (apr_int64_t)strlen(identity.origin)), ":",
        identity.origin, identity.original_id, NULL);
}

int cm_identity_of_key(cm_identity_t *identity, const char *key,
                       apr_pool_t *pool)
{
    char *at;
    apr_int64_t size = apr_strtoi64(key, &at, 10);

    if (*at != ':' || size < 0 || (apr_int64_t)strlen(at + 1) < size)
        return 0;
    identity->origin = apr_pstrmemdup(pool, at + 1, (apr_size_t)size);
    identity->original_id = apr_pstrdup(pool, at + 1 + size);
    return 1;
}

const char *cm_identity_with_life(const char *id, int life, apr_pool_t *pool)
{
    return life > 1 ? apr_psprintf(pool, "%s%c%d", id, LIFE_MARK, life)
                    : apr_pstrdup(pool, id);
}

const char *cm_identity_without_life(const char **life, const char *original_id,
                                     apr_pool_t *pool)
{
    const char *mark = strchr(original_id, LIFE_MARK);

    if (life)
        *life = mark ? mark : "";
    return mark ? apr_pstrmemdup(pool, original_id, mark - original_id)
                : original_id;
}

int cm_identity_life(const char *original_id)
{
    const char *mark = strchr(original_id, LIFE_MARK);

    return mark ? (int)apr_atoi64(mark + 1) : 1;
}
