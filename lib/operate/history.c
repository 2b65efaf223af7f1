/* The history: see history.h. */
#include "operate/history.h"

#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>
#include <apr_time.h>

#include "base/moment.h"
#include "store/dialect.h"
#include "record/message.h"
#include "record/packed.h"

/* Batches that are read at once. */
#define PAGE 16

#define FMT "%" APR_INT64_T_FMT

/* SQL that grows with its arguments. */
typedef struct question_t {
    const char *sql;
    apr_array_header_t *arguments; /* cm_datum_t */
    apr_pool_t *pool;
} question_t;

static void ask(question_t *question, const char *sql, const char *argument)
{
    question->sql = apr_pstrcat(question->pool, question->sql, sql, NULL);
    APR_ARRAY_PUSH(question->arguments, cm_datum_t) = cm_datum_text(argument);
}

static cm_error_t *answer(cm_rows_t **rows, cm_node_t *node,
                          question_t *question, const char *order, int limit)
{
    apr_pool_t *pool = question->pool;

    return cm_statement_select(rows, node->store,
                               apr_psprintf(pool, "%s ORDER BY %s LIMIT %d",
                                            question->sql, order, limit),
                               (const cm_datum_t *)question->arguments->elts,
                               question->arguments->nelts, pool);
}

static question_t begin(const char *sql, apr_pool_t *pool)
{
    return (question_t){sql, apr_array_make(pool, 8, sizeof(cm_datum_t)), pool};
}

/* --- sent: rows --- */

int cm_history_moment(apr_int64_t *at, const char *text, apr_size_t size)
{
    cm_moment_t moment;

    *at = cm_moment_read(&moment, text, size) ? cm_moment_clock(&moment) : 0;
    return *at != 0;
}

/* Return the moment in a timestamp column, or 0. */
static apr_int64_t moment_of(const cm_datum_t *cell)
{
    apr_int64_t at;

    return cell->data && cm_history_moment(&at, cell->data, cell->size) ? at
                                                                        : 0;
}

static apr_array_header_t *read_sent(const cm_rows_t *rows, apr_pool_t *pool)
{
    apr_array_header_t *events =
        apr_array_make(pool, rows->count, sizeof(cm_event_t));
    int i;

    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(events, cm_event_t) = (cm_event_t){
            .sent = 1,
            .peer = cm_cell_text(rows, i, 0),
            .id = cm_cell_number(rows, i, 1),
            .action = cm_cell_text(rows, i, 2),
            .changed = cm_cell_text(rows, i, 3),
            .clock = cm_cell_number(rows, i, 4),
            .done = (int)cm_cell_number(rows, i, 5),
            .model = cm_cell_text(rows, i, 6),
            .record = {cm_cell_text(rows, i, 7), cm_cell_text(rows, i, 8)},
            .at = moment_of(cm_cell(rows, i, 9)),
            .body = cm_cell_text(rows, i, 10)};
    return events;
}

static cm_error_t *find_sent_rows(apr_array_header_t **events, cm_node_t *node,
                                  const cm_history_query_t *query,
                                  apr_pool_t *result_pool)
{
    question_t question = begin(
        "SELECT source, seq, action, changed_columns, clock,"
        " CASE WHEN delivered_at IS NULL THEN 0 ELSE 1 END, model, origin,"
        " original_id, created_at, body FROM outbound_messages WHERE 1 = 1",
        result_pool);
    cm_rows_t *rows;

    if (query->peer)
        ask(&question, " AND coalesce(source, '') <> %s", query->peer);
    if (query->model)
        ask(&question, " AND model = %s", query->model);
    if (query->identity.original_id) {
        ask(&question, " AND (local_record_id = %s", query->local_id);
        ask(&question, " OR (origin = %s", query->identity.origin);
        ask(&question, " AND original_id = %s))", query->identity.original_id);
    }
    if (query->since)
        ask(&question, " AND created_at >= %s",
            cm_datum_moment(query->since, result_pool).data);
    CM_TRY_FOR(answer(&rows, node, &question, "id DESC", query->limit),
               result_pool, "cannot read what was sent");
    *events = read_sent(rows, result_pool);
    return NULL;
}

/* --- received: rows --- */

static cm_error_t *add_rows(apr_array_header_t *events, cm_node_t *node,
                            const cm_history_query_t *query)
{
    question_t question =
        begin("SELECT peer, id, action, clock, error,"
              " CASE WHEN processed_at IS NULL THEN 0 ELSE 1 END, model,"
              " origin, original_id, received_at, body FROM inbound_messages"
              " WHERE 1 = 1",
              events->pool);
    cm_rows_t *rows;
    int i;

    if (query->peer)
        ask(&question, " AND peer = %s", query->peer);
    if (query->model)
        ask(&question, " AND model = %s", query->model);
    if (query->identity.original_id) {
        ask(&question, " AND origin = %s", query->identity.origin);
        ask(&question, " AND original_id = %s", query->identity.original_id);
    }
    if (query->since)
        question.sql = apr_psprintf(events->pool, "%s AND received_at >= " FMT,
                                    question.sql, query->since);
    CM_TRY(answer(&rows, node, &question, "received_at DESC, id DESC",
                  query->limit));
    for (i = 0; i < rows->count; i++)
        APR_ARRAY_PUSH(events, cm_event_t) = (cm_event_t){
            .peer = cm_cell_text(rows, i, 0),
            .id = cm_cell_number(rows, i, 1),
            .action = cm_cell_text(rows, i, 2),
            .clock = cm_cell_number(rows, i, 3),
            .error = cm_cell_text(rows, i, 4),
            .done = (int)cm_cell_number(rows, i, 5),
            .model = cm_cell_text(rows, i, 6),
            .record = {cm_cell_text(rows, i, 7), cm_cell_text(rows, i, 8)},
            .at = cm_cell_number(rows, i, 9),
            .body = cm_cell_text(rows, i, 10)};
    return NULL;
}

/* --- batches --- */

/* A search through the batches of one peer, or (NULL) those sent from here,
 * newest first. */
typedef struct search_t {
    cm_node_t *node;
    const cm_history_query_t *query;
    const char *peer;
    apr_int64_t before; /* batches that begin before this number are left */
    int found, over;
    apr_array_header_t *events;
} search_t;

/* Return whether an id is written the same way wherever it stands. */
static int is_plain(const char *id)
{
    return *id && !id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz"
                                 "ABCDEFGHIJKLMNOPQRSTUVWXYZ_-.")];
}

/* Return whether the record that is searched for may be in TEXT: most batches
 * need not be parsed. */
static int may_match(const cm_history_query_t *query, const cm_buffer_t *text)
{
    const char *id = query->identity.original_id;
    const char *at = text->data, *end = text->data + text->size;
    apr_size_t size;

    if (!id || !is_plain(id))
        return 1;
    size = strlen(id);
    while (at && at + size <= end) {
        if (!memcmp(at, id, size))
            return 1;
        at = memchr(at + 1, *id, end - at - 1);
    }
    return 0;
}

static int is_same(const char *wanted, const char *found)
{
    return !wanted || (found && !strcmp(wanted, found));
}

static int matches(const cm_history_query_t *query, const cm_message_t *message)
{
    return is_same(query->model, message->model) &&
           is_same(query->identity.origin, message->identity.origin) &&
           is_same(query->identity.original_id, message->identity.original_id);
}

static void add_message(search_t *search, const cm_message_t *message,
                        apr_int64_t at)
{
    apr_pool_t *pool = search->events->pool;

    search->found++;
    APR_ARRAY_PUSH(search->events, cm_event_t) = (cm_event_t){
        .sent = !search->peer,
        .peer = search->peer,
        .id = message->id,
        .action =
            message->error ? NULL : cm_message_action_name(message->action),
        .clock = message->clocks.clock,
        .done = 1,
        .model = apr_pstrdup(pool, message->model),
        .record = {apr_pstrdup(pool, message->identity.origin),
                   apr_pstrdup(pool, message->identity.original_id)},
        .at = at,
        .body = message->body
                    ? apr_pstrmemdup(pool, message->body, message->body_size)
                    : NULL};
}

static int compare_ids(const void *a, const void *b)
{
    apr_int64_t first = (*(cm_message_t *const *)a)->id;
    apr_int64_t second = (*(cm_message_t *const *)b)->id;

    return (first < second) - (first > second);
}

/* What is sent under other numbers since it was packed (`epoch --new`) has
 * these in order. */
static void number(const search_t *search, const apr_array_header_t *messages)
{
    int i;

    for (i = 0; !search->peer && i < messages->nelts; i++)
        APR_ARRAY_IDX(messages, i, cm_message_t *)->id = search->before + i;
}

/* Search the batch in DIGITS, received or sent AT. */
static cm_error_t *search_batch(search_t *search, const cm_datum_t *digits,
                                apr_int64_t at, apr_pool_t *pool)
{
    apr_array_header_t *messages;
    cm_buffer_t *text;
    int i;

    CM_TRY(cm_packed_text(&text, digits->data, digits->size, pool));
    if (!may_match(search->query, text))
        return NULL;
    CM_TRY(cm_message_read_batch(&messages, text->data, text->size, 0, pool));
    number(search, messages);
    qsort(messages->elts, messages->nelts, sizeof(cm_message_t *), compare_ids);
    for (i = 0; i < messages->nelts && search->found < search->query->limit;
         i++) {
        const cm_message_t *message =
            APR_ARRAY_IDX(messages, i, cm_message_t *);

        if (matches(search->query, message))
            add_message(search, message, at);
    }
    return NULL;
}

/* Search the batch in row I of ROWS; a batch takes much memory. */
static cm_error_t *search_row(search_t *search, const cm_rows_t *rows, int i,
                              apr_pool_t *pool)
{
    const apr_int64_t at = cm_cell_number(rows, i, 1);
    const cm_datum_t *digits = cm_cell(rows, i, 2);

    apr_pool_clear(pool);
    search->before = cm_cell_number(rows, i, 0);
    if (at < search->query->since)
        search->over = 1;
    else if (digits->size > 0) /* not kept: NULL, on SQLite "" */
        CM_TRY_FOR(search_batch(search, digits, at, pool), pool,
                   "the batch of '%s' that begins with " FMT " cannot be read",
                   search->peer ? search->peer : search->node->settings->name,
                   search->before);
    search->over |= search->found >= search->query->limit;
    return NULL;
}

static cm_error_t *read_page(cm_rows_t **rows, const search_t *search,
                             apr_pool_t *pool)
{
    const char *wire = cm_dialect_of_store(search->node->store)->wire_digits;
    const cm_datum_t peer = cm_datum_text(search->peer);
    const char *sql =
        search->peer
            ? apr_psprintf(pool,
                           "SELECT first_seq, received_at, %s"
                           " FROM communicator_received WHERE peer = %%s"
                           " AND first_seq < " FMT
                           " ORDER BY first_seq DESC LIMIT %d",
                           wire, search->before, PAGE)
            : apr_psprintf(pool,
                           "SELECT first_seq, made_at, %s"
                           " FROM communicator_batches WHERE last_seq < " FMT
                           " ORDER BY last_seq DESC LIMIT %d",
                           wire, search->before, PAGE);

    return cm_statement_select(rows, search->node->store, sql, &peer,
                               search->peer ? 1 : 0, pool);
}

/* Search the next page of batches. */
static cm_error_t *search_page(search_t *search, apr_pool_t *pool)
{
    apr_pool_t *iterpool;
    cm_rows_t *rows;
    int i;

    CM_TRY(read_page(&rows, search, pool));
    apr_pool_create(&iterpool, pool);
    for (i = 0; i < rows->count && !search->over; i++)
        CM_TRY(search_row(search, rows, i, iterpool));
    search->over |= rows->count < PAGE;
    return NULL;
}

static cm_error_t *search_batches(apr_array_header_t *events, cm_node_t *node,
                                  const cm_history_query_t *query,
                                  const char *peer)
{
    search_t search = {.node = node,
                       .query = query,
                       .peer = peer,
                       .before = APR_INT64_MAX,
                       .events = events};
    apr_pool_t *iterpool;
    cm_error_t *err = NULL;

    apr_pool_create(&iterpool, events->pool);
    while (!err && !search.over) {
        apr_pool_clear(iterpool);
        err = search_page(&search, iterpool);
    }
    if (err)
        err = cm_error_copy(err, events->pool);
    apr_pool_destroy(iterpool);
    return err;
}

static cm_error_t *add_batches(apr_array_header_t *events, cm_node_t *node,
                               const cm_history_query_t *query)
{
    cm_rows_t *rows;
    int i;

    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT name FROM communicator_peers", NULL, 0,
                               events->pool));
    for (i = 0; i < rows->count; i++) {
        const char *peer = cm_cell_text(rows, i, 0);

        if (is_same(query->peer, peer))
            CM_TRY(search_batches(events, node, query, peer));
    }
    return NULL;
}

/* --- both --- */

static int compare_events(const void *a, const void *b)
{
    const cm_event_t *first = a, *second = b;

    if (first->at != second->at)
        return (first->at < second->at) - (first->at > second->at);
    return (first->id < second->id) - (first->id > second->id);
}

apr_array_header_t *cm_history_join(const apr_array_header_t *some,
                                    const apr_array_header_t *others, int limit,
                                    apr_pool_t *pool)
{
    apr_array_header_t *all = apr_array_append(pool, some, others);

    qsort(all->elts, all->nelts, sizeof(cm_event_t), compare_events);
    if (all->nelts > limit)
        all->nelts = limit;
    return all;
}

static const char *key_of(const cm_event_t *event, apr_pool_t *pool)
{
    return apr_psprintf(pool, FMT " %s", event->id, event->peer);
}

/* Return those of EVENTS that are not among ROWS, which know more of them. */
static apr_array_header_t *without(const apr_array_header_t *events,
                                   const apr_array_header_t *rows,
                                   apr_pool_t *pool)
{
    apr_array_header_t *others =
        apr_array_make(pool, events->nelts, sizeof(cm_event_t));
    apr_hash_t *known = apr_hash_make(pool);
    int i;

    for (i = 0; i < rows->nelts; i++)
        apr_hash_set(known, key_of(&APR_ARRAY_IDX(rows, i, cm_event_t), pool),
                     APR_HASH_KEY_STRING, rows);
    for (i = 0; i < events->nelts; i++) {
        const cm_event_t *event = &APR_ARRAY_IDX(events, i, cm_event_t);

        if (!apr_hash_get(known, key_of(event, pool), APR_HASH_KEY_STRING))
            APR_ARRAY_PUSH(others, cm_event_t) = *event;
    }
    return others;
}

/* Mark the messages that a person has discarded: the batches do not say. */
static cm_error_t *mark_discarded(const apr_array_header_t *events,
                                  cm_node_t *node, apr_pool_t *pool)
{
    cm_rows_t *rows;
    int i, j;

    CM_TRY(cm_statement_select(&rows, node->store,
                               "SELECT peer, message_id"
                               " FROM communicator_conflicts"
                               " WHERE column_name IS NULL"
                               " AND resolved_at IS NOT NULL"
                               " ORDER BY id DESC LIMIT 1000",
                               NULL, 0, pool));
    for (i = 0; i < events->nelts; i++) {
        cm_event_t *event = &APR_ARRAY_IDX(events, i, cm_event_t);

        for (j = 0; j < rows->count && !event->error; j++)
            if (cm_cell_number(rows, j, 1) == event->id &&
                is_same(event->peer, cm_cell_text(rows, j, 0)))
                event->error = "discarded";
    }
    return NULL;
}

cm_error_t *cm_history_sent(apr_array_header_t **events, cm_node_t *node,
                            const cm_history_query_t *query,
                            apr_pool_t *result_pool)
{
    apr_array_header_t *packed =
        apr_array_make(result_pool, 8, sizeof(cm_event_t));
    apr_array_header_t *rows = NULL;

    CM_TRY(find_sent_rows(&rows, node, query, result_pool));
    CM_TRY_FOR(search_batches(packed, node, query, NULL), result_pool,
               "cannot read what was sent");
    *events = cm_history_join(rows, packed, query->limit, result_pool);
    return NULL;
}

cm_error_t *cm_history_received(apr_array_header_t **events, cm_node_t *node,
                                const cm_history_query_t *query,
                                apr_pool_t *result_pool)
{
    apr_array_header_t *rows =
        apr_array_make(result_pool, 8, sizeof(cm_event_t));
    apr_array_header_t *packed =
        apr_array_make(result_pool, 8, sizeof(cm_event_t));

    CM_TRY_FOR(add_rows(rows, node, query), result_pool,
               "cannot read the inbox");
    CM_TRY_FOR(add_batches(packed, node, query), result_pool,
               "cannot read what was received");
    packed = without(packed, rows, result_pool);
    CM_TRY(mark_discarded(packed, node, result_pool));
    *events = cm_history_join(rows, packed, query->limit, result_pool);
    return NULL;
}
