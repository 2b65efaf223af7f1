/* Structs as JSON: see json_object.h. */
#include "base/json_object.h"

#include <string.h>

#include "base/json_write.h"

/* What all members of one document share. */
typedef struct reading_t {
    cm_json_t *json;
    const void *baton;
} reading_t;

static void write_list(cm_buffer_t *json, const char *name,
                       const cm_json_object_t *type,
                       const apr_array_header_t *list, const void *baton)
{
    int i;

    cm_json_write_open(json, name, '[');
    for (i = 0; i < list->nelts; i++)
        cm_json_object_write(json, NULL, type,
                             list->elts + (apr_size_t)i * type->size, baton);
    cm_json_write_close(json, ']');
}

/* Write the member of OBJECT, under NAME. */
static void write_member(cm_buffer_t *json, const char *name,
                         const cm_json_member_t *member, const void *object,
                         const void *baton)
{
    const void *field = (const char *)object + member->offset;
    const void *pointer;

    switch (member->kind) {
    case CM_JSON_TEXT:
        if (*(const char *const *)field || !name)
            cm_json_write_text(json, name, *(const char *const *)field);
        return;
    case CM_JSON_NUMBER:
        cm_json_write_number(json, name, *(const apr_int64_t *)field);
        return;
    case CM_JSON_FLAG:
        cm_json_write_number(json, name, *(const int *)field);
        return;
    case CM_JSON_WORD:
        cm_json_write_text(json, name, member->words[*(const int *)field]);
        return;
    case CM_JSON_OWN:
        member->own->write(json, name, field, baton);
        return;
    case CM_JSON_STRUCT:
    case CM_JSON_LIST:
        memcpy(&pointer, field, sizeof(pointer));
        if (pointer && member->kind == CM_JSON_LIST)
            write_list(json, name, member->object, pointer, baton);
        else if (pointer)
            cm_json_object_write(json, name, member->object, pointer, baton);
        return;
    }
}

void cm_json_object_write(cm_buffer_t *json, const char *name,
                          const cm_json_object_t *type, const void *object,
                          const void *baton)
{
    const int tuple = type->form == CM_JSON_TUPLE;
    const cm_json_member_t *member;

    if (type->form == CM_JSON_PLAIN) {
        write_member(json, name, type->members, object, baton);
        return;
    }
    cm_json_write_open(json, name, tuple ? '[' : '{');
    for (member = type->members; member->name; member++)
        write_member(json, tuple ? NULL : member->name, member, object, baton);
    cm_json_write_close(json, tuple ? ']' : '}');
}

int cm_json_object_read_string(const char **text, cm_json_t *json)
{
    cm_value_t value;

    *text = NULL;
    if (!cm_json_value(json, &value) || value.kind == CM_NULL)
        return !json->problem;
    *text = value.data;
    return value.kind == CM_TEXT && strlen(value.data) == value.size;
}

static int read_number(apr_int64_t *number, cm_json_t *json, int least)
{
    cm_value_t value;

    return cm_json_value(json, &value) && value.kind == CM_NUMBER &&
           cm_json_integer(number, &value) && *number >= least &&
           *number <= CM_JSON_NUMBER_MAX;
}

int cm_json_object_read_number(apr_int64_t *number, cm_json_t *json)
{
    return read_number(number, json, 0);
}

static int read_flag(int *flag, cm_json_t *json)
{
    apr_int64_t number;

    if (!read_number(&number, json, 0))
        return 0;
    *flag = number != 0;
    return 1;
}

static int read_word(int *place, cm_json_t *json,
                     const cm_json_member_t *member)
{
    const char *text;
    int i;

    if (!cm_json_object_read_string(&text, json) || !text)
        return 0;
    for (i = 0; member->words[i]; i++)
        if (!strcmp(text, member->words[i])) {
            *place = i;
            return 1;
        }
    return !member->needed;
}

static int read_object(void *object, const reading_t *reading,
                       const cm_json_object_t *type);

static int read_list(apr_array_header_t **list, const reading_t *reading,
                     const cm_json_member_t *member)
{
    apr_size_t size = member->object->size;
    int count = 0;

    *list = apr_array_make(reading->json->pool, 16, (int)size);
    if (!cm_json_open(reading->json, '['))
        return 0;
    while (cm_json_next(reading->json, ']', &count))
        if (count > member->most ||
            !read_object(apr_array_push(*list), reading, member->object))
            return 0;
    return !reading->json->problem;
}

static int read_member(void *object, const reading_t *reading,
                       const cm_json_member_t *member)
{
    void *field = (char *)object + member->offset, *made;

    switch (member->kind) {
    case CM_JSON_TEXT:
        return cm_json_object_read_string(field, reading->json) &&
               (*(const char **)field || !member->needed);
    case CM_JSON_NUMBER:
        return read_number(field, reading->json, member->least);
    case CM_JSON_FLAG:
        return read_flag(field, reading->json);
    case CM_JSON_WORD:
        return read_word(field, reading->json, member);
    case CM_JSON_OWN:
        return member->own->read(field, reading->json, reading->baton);
    case CM_JSON_LIST:
        return read_list(field, reading, member);
    case CM_JSON_STRUCT:
        break;
    }
    if (!cm_json_object_read(&made, reading->json, member->object,
                             reading->baton))
        return 0;
    memcpy(field, &made, sizeof(made));
    return 1;
}

static int read_members(void *object, const reading_t *reading,
                        const cm_json_object_t *type)
{
    const cm_json_member_t *member;
    cm_value_t name;
    int count = 0;

    if (!cm_json_open(reading->json, '{'))
        return 0;
    while (cm_json_next(reading->json, '}', &count)) {
        if (!cm_json_name(reading->json, &name))
            return 0;
        for (member = type->members; member->name; member++)
            if (!strcmp(member->name, name.data))
                break;
        if (!(member->name ? read_member(object, reading, member)
                           : cm_json_skip(reading->json, NULL, NULL)))
            return 0;
    }
    return !reading->json->problem;
}

static int read_tuple(void *object, const reading_t *reading,
                      const cm_json_object_t *type)
{
    const cm_json_member_t *member = type->members;
    int count = 0;

    if (!cm_json_open(reading->json, '['))
        return 0;
    for (; cm_json_next(reading->json, ']', &count); member++)
        if (!member->name || !read_member(object, reading, member))
            return 0;
    return !reading->json->problem && !member->name;
}

/* Return whether OBJECT has all texts that it needs: they may not have been
 * said at all. */
static int is_whole(const void *object, const cm_json_object_t *type)
{
    const cm_json_member_t *member;

    for (member = type->members; member->name; member++)
        if (member->needed && member->kind == CM_JSON_TEXT &&
            !*(const char *const *)((const char *)object + member->offset))
            return 0;
    return 1;
}

static int read_object(void *object, const reading_t *reading,
                       const cm_json_object_t *type)
{
    int read = 0;

    memset(object, 0, type->size);
    if (type->begin)
        type->begin(object, reading->json->pool);
    switch (type->form) {
    case CM_JSON_MEMBERS:
        read = read_members(object, reading, type);
        break;
    case CM_JSON_TUPLE:
        read = read_tuple(object, reading, type);
        break;
    case CM_JSON_PLAIN:
        read = read_member(object, reading, type->members);
        break;
    }
    return read && is_whole(object, type);
}

int cm_json_object_read(void **object, cm_json_t *json,
                        const cm_json_object_t *type, const void *baton)
{
    const reading_t reading = {json, baton};

    *object = apr_palloc(json->pool, type->size);
    return read_object(*object, &reading, type);
}

cm_error_t *cm_json_object_read_text(void **object,
                                     const cm_json_object_t *type,
                                     const char *text, apr_size_t size,
                                     const char *what, const void *baton,
                                     apr_pool_t *pool)
{
    cm_json_t json;

    cm_json_init(&json, text, size, pool);
    if (!cm_json_object_read(object, &json, type, baton) ||
        !cm_json_done(&json))
        return CM_FAIL(pool, CM_MALFORMED, "%s cannot be read", what);
    return NULL;
}
