/* Write JSON into a buffer, piece by piece; commas are added. NAME is that of a
 * member; NULL: an element of an array, the whole document, or the value of the
 * member whose name was just written. */
#ifndef CM_BASE_JSON_WRITE_H
#define CM_BASE_JSON_WRITE_H

#include "base/buffer.h"
#include "base/value.h"

/* Begin an object ('{') or array ('['), or end one ('}', ']'). */
void cm_json_write_open(cm_buffer_t *json, const char *name, char bracket);
void cm_json_write_close(cm_buffer_t *json, char bracket);

/* Write the name of a member, SIZE bytes of DATA; its value must follow. */
void cm_json_write_name(cm_buffer_t *json, const char *data, apr_size_t size);

/* Write TEXT as a string; NULL: null. Or SIZE bytes of DATA. */
void cm_json_write_text(cm_buffer_t *json, const char *name, const char *text);
void cm_json_write_bytes(cm_buffer_t *json, const char *name, const char *data,
                         apr_size_t size);

/* Write NUMBER; or true or false. */
void cm_json_write_number(cm_buffer_t *json, const char *name,
                          apr_int64_t number);
void cm_json_write_truth(cm_buffer_t *json, const char *name, int truth);

/* Write VALUE; one that is absent is null. */
void cm_json_write_value(cm_buffer_t *json, const char *name, cm_value_t value);

/* Write SIZE bytes of DATA, which is JSON already. */
void cm_json_write_raw(cm_buffer_t *json, const char *name, const char *data,
                       apr_size_t size);

#endif
