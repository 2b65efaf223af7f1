/* Pieces of JSON that questions and answers are made of. */
#ifndef CM_VERIFY_TEXT_H
#define CM_VERIFY_TEXT_H

#include "base/json.h"
#include "record/message.h"

/* Append TEXT as a string; NULL: null. */
void cm_verify_text_append(cm_buffer_t *buffer, const char *text);

/* Append a member with NAME: its text (NULL: nothing at all), its number, or
 * only what stands before its value. A comma goes before it unless it is the
 * first of its object. */
void cm_verify_text_member(cm_buffer_t *buffer, const char *name,
                           const char *text);
void cm_verify_text_number(cm_buffer_t *buffer, const char *name,
                           apr_int64_t number);
void cm_verify_text_begin(cm_buffer_t *buffer, const char *name);

/* Append a comma unless an object or array has just begun. */
void cm_verify_text_comma(cm_buffer_t *buffer);

/* Read a text without U+0000 (null: NULL), or a number from 0 to
 * CM_CLOCK_MAX: of these two nobody's sum is too large. Return 0 when something
 * else stands there. */
int cm_verify_text_read(const char **text, cm_json_t *json);
int cm_verify_text_read_number(apr_int64_t *number, cm_json_t *json);

/* Read an object, or an array of at most MOST elements: READ is called with
 * BATON for each member (NAME) or element (NAME is NULL), and reads its value;
 * 0: it cannot. */
typedef int (*cm_text_read_t)(void *baton, const char *name, cm_json_t *json);
int cm_verify_text_read_object(cm_json_t *json, cm_text_read_t read,
                               void *baton);
int cm_verify_text_read_array(cm_json_t *json, int most, cm_text_read_t read,
                              void *baton);

/* Read the whole TEXT, an object, so. Fails with CM_MALFORMED: "WHAT cannot
 * be read". */
cm_error_t *cm_verify_text_read_whole(const char *text, apr_size_t size,
                                      const char *what, cm_text_read_t read,
                                      void *baton,
                                      apr_pool_t *pool) CM_UNUSED_RESULT;

#endif
