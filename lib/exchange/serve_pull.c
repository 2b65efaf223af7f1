/* GET: send what the peer does not have yet. */
#include "exchange/serve.h"

#include <errno.h>
#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "record/message.h"
#include "node/node.h"
#include "outbox/body.h"
#include "outbox/outbox.h"
#include "outbox/read.h"
#include "outbox/stamp.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"
#include "gem/gem.h"
#include "exchange/headers.h"
#include "exchange/log.h"
#include "exchange/reply.h"

/* How many messages are skipped or withheld at once, at most. */
#define MOST_WITHHELD 20
#define REASON_BYTES  300

typedef struct pull_t {
    apr_int64_t from;     /* the first id wanted */
    apr_int64_t skip;     /* how many messages this answer leaves out */
    apr_int64_t withhold; /* withhold messages up to here; 0: none */
    cm_limits_t limits;
    cm_serve_wait_t wait;
    int waited; /* milliseconds */
    int found;  /* by waiting */
    cm_stamping_t stamping;
    cm_batch_t *batch;
    cm_pending_t pending; /* for ours */
    apr_int64_t parked;   /* for ours */
} pull_t;

/* Read TEXT as a gem's database would compare it with ids: 2.5 means from 3 on,
 * anything below 1 is 1. Returns 0 when it is not a number, or too large. */
static int read_from(apr_int64_t *from, const char *text)
{
    char *end;
    int fraction = 0;

    errno = 0;
    *from = apr_strtoi64(text, &end, 10);
    if (end == text || errno)
        return 0;
    if (*end == '.') {
        for (end++; apr_isdigit(*end); end++)
            fraction |= *end != '0';
    }
    if (*end || *from > CM_SEQ_MAX)
        return 0;
    if (fraction && *text != '-')
        ++*from;
    if (*from < 1)
        *from = 1;
    return 1;
}

/* Lower LIMIT, not below 0, to what the query's KEY asks for. */
static cm_error_t *lower(apr_int64_t *limit, const cm_exchange_t *exchange,
                         const char *key)
{
    apr_int64_t asked = *limit;

    CM_TRY(cm_request_number(&asked, exchange->request->query, key,
                             exchange->pool));
    if (asked < *limit)
        *limit = asked;
    return NULL;
}

static cm_error_t *read_limits(cm_limits_t *limits, cm_exchange_t *exchange)
{
    apr_int64_t messages = exchange->settings->batch.messages;

    limits->bytes = exchange->settings->batch.bytes;
    if (!exchange->gem) {
        CM_TRY(lower(&messages, exchange, "limit"));
        CM_TRY(lower(&limits->bytes, exchange, "bytes"));
    }
    limits->messages = (int)messages;
    return NULL;
}

/* Read the query of a peer that cannot receive a message. */
static cm_error_t *read_withhold(pull_t *pull, const cm_exchange_t *exchange)
{
    const char *query = exchange->request->query;
    apr_pool_t *pool = exchange->pool;

    CM_TRY(cm_request_number(&pull->skip, query, "skip", pool));
    if (pull->skip > MOST_WITHHELD)
        return CM_FAIL(pool, CM_MALFORMED, "skip is above %d", MOST_WITHHELD);
    CM_TRY(cm_request_number(&pull->withhold, query, "withhold", pool));
    if (pull->withhold && pull->from <= exchange->said.claim.received)
        return CM_FAIL(
            pool, CM_MALFORMED,
            "messages that the peer has received cannot be withheld");
    return NULL;
}

/* What a gem asks for shows what it holds. READING begins there. */
static cm_error_t *note_asked(cm_reading_t *reading, cm_node_t *node,
                              apr_int64_t from, apr_pool_t *scratch_pool)
{
    CM_TRY(cm_gem_begin(&reading->after, &reading->first_id, node,
                        reading->peer, from, scratch_pool));
    if (from < 2 || reading->first_id != from)
        return NULL;
    return cm_outbox_confirm(node, reading->peer, reading->after, from - 1,
                             scratch_pool);
}

/* A gem keeps its own count: from_id confirms the messages before it, if it is
 * the number of one. Go on until there is a message that a gem can read. */
static cm_error_t *read_for_gem(cm_exchange_t *exchange, pull_t *pull,
                                apr_pool_t *scratch_pool)
{
    cm_node_t *node = exchange->node;
    const char *peer = exchange->peer->name;
    apr_pool_t *pool = exchange->pool, *iterpool;
    cm_reading_t reading = {
        .peer = peer, .limits = pull->limits, .fit = cm_gem_fit};
    cm_error_t *err = NULL;

    CM_TRY(cm_gem_seek(&reading.after, &reading.first_id, node, peer,
                       pull->from, scratch_pool));
    if (!cm_request_is_head(exchange))
        CM_TRY(note_asked(&reading, node, pull->from, scratch_pool));
    apr_pool_create(&iterpool, scratch_pool);
    do {
        apr_pool_clear(iterpool);
        err = cm_outbox_read(&pull->batch, node, &reading, pool, iterpool);
        if (!err)
            reading.after = pull->batch->last;
    } while (!err && !pull->batch->messages->nelts && pull->batch->more);
    if (!err && pull->batch->messages->nelts && !cm_request_is_head(exchange))
        err = cm_gem_note_sent(node, peer, pull->batch->last, iterpool);
    return err;
}

/* limit=0 only confirms. */
static cm_batch_t *empty_batch(apr_int64_t after, apr_pool_t *pool)
{
    cm_batch_t *batch = apr_pcalloc(pool, sizeof(*batch));

    batch->after = batch->last = after;
    batch->messages = apr_array_make(pool, 1, sizeof(cm_message_t *));
    return batch;
}

/* Return the peer's reason for not receiving a message, in ASCII. */
static const char *reason_of(const cm_exchange_t *exchange)
{
    const char *words =
        cm_request_value(exchange->request->query, "because", exchange->pool);

    if (!words || !*words)
        return "no reason given";
    return cm_reply_excerpt(words, strlen(words), REASON_BYTES, exchange->pool);
}

/* The peer has found out that it cannot receive the messages up to
 * pull->withhold, but those after them. When it asks twice, the second request
 * finds nothing left to do. */
static cm_error_t *withhold(cm_exchange_t *exchange, const pull_t *pull,
                            apr_pool_t *pool)
{
    const char *peer = exchange->peer->name, *reason, *by;
    apr_array_header_t *seqs;

    CM_TRY(cm_withheld_find_sendable(&seqs, exchange->node, peer,
                                     pull->from - 1, pull->withhold,
                                     MOST_WITHHELD + 1, pool));
    if (seqs->nelts > MOST_WITHHELD)
        return CM_FAIL(pool, CM_MALFORMED,
                       "more than %d messages cannot be withheld at once",
                       MOST_WITHHELD);
    if (!seqs->nelts)
        return NULL;
    reason = reason_of(exchange);
    by = cm_request_value(exchange->request->query, "by", exchange->pool);
    CM_TRY(cm_withheld_add(exchange->node, peer, seqs,
                           by && !strcmp(by, "peer") ? CM_REFUSER_PEER
                                                     : CM_REFUSER_PROXY,
                           reason, pool));
    cm_serve_log(exchange, CM_LOG_WARNING,
                 CM0026 "message %" APR_INT64_T_FMT "%s is withheld from "
                        "peer '%s', which cannot receive it: %s",
                 APR_ARRAY_IDX(seqs, 0, apr_int64_t),
                 seqs->nelts > 1 ? " and others" : "", peer, reason);
    return cm_withheld_count(&exchange->withheld, exchange->node, peer, pool);
}

/* Set *AFTER to the number before the first message wanted. */
static cm_error_t *find_start(apr_int64_t *after, cm_exchange_t *exchange,
                              const pull_t *pull, apr_pool_t *pool)
{
    apr_array_header_t *seqs;

    *after = pull->from - 1;
    if (!pull->skip)
        return NULL;
    CM_TRY(cm_withheld_find_sendable(&seqs, exchange->node,
                                     exchange->peer->name, *after, 0,
                                     (int)pull->skip, pool));
    if (seqs->nelts)
        *after = APR_ARRAY_IDX(seqs, seqs->nelts - 1, apr_int64_t);
    return NULL;
}

static cm_error_t *read_for_ours(cm_exchange_t *exchange, pull_t *pull,
                                 apr_pool_t *scratch_pool)
{
    cm_node_t *node = exchange->node;
    const char *peer = exchange->peer->name;
    cm_reading_t reading = {.peer = peer,
                            .limits = pull->limits,
                            .stamped = pull->stamping.stamped};

    if (!cm_request_is_head(exchange) && pull->from > 1)
        CM_TRY(cm_outbox_confirm(node, peer, pull->from - 1, pull->from - 1,
                                 scratch_pool));
    CM_TRY(find_start(&reading.after, exchange, pull, scratch_pool));
    if (pull->limits.messages)
        CM_TRY(cm_outbox_read(&pull->batch, node, &reading, exchange->pool,
                              scratch_pool));
    else
        pull->batch = empty_batch(reading.after, exchange->pool);
    CM_TRY(cm_outbox_pending(&pull->pending, node, peer,
                             pull->batch->more ? CM_EXACT_ON_THE_WAY
                                               : CM_EXACT_FOR_PEOPLE,
                             scratch_pool));
    return cm_inbox_retry_count(&pull->parked, node, peer, 0, scratch_pool);
}

static cm_error_t *read_kind(cm_exchange_t *exchange, pull_t *pull,
                             apr_pool_t *scratch_pool)
{
    return exchange->gem ? read_for_gem(exchange, pull, scratch_pool)
                         : read_for_ours(exchange, pull, scratch_pool);
}

/* Number as many messages as the answer has room for, and read them. To number
 * all of a long backlog would take too long. Not every number behind the one
 * asked for is a message: a new history begins far behind the old one. */
static cm_error_t *stamp_and_read(cm_exchange_t *exchange, pull_t *pull,
                                  apr_pool_t *pool)
{
    apr_int64_t last_seq;
    int stamped, tries, empty = 0;

    pull->stamping.limit = pull->limits.messages;
    pull->stamping.bytes = pull->limits.bytes;
    pull->stamping.holds = exchange->gem ? 0 : pull->from - 1;
    do {
        stamped = 0;
        pull->stamping.stamped = NULL;
        CM_TRY(cm_node_refresh(&last_seq, exchange->node, pool));
        tries = empty ||
                last_seq - pull->from + 1 < pull->limits.messages + pull->skip;
        if (tries)
            CM_TRY(cm_stamp_chunk(&stamped, exchange->node, &pull->stamping,
                                  pool));
        CM_TRY(read_kind(exchange, pull, pool));
        empty = !pull->batch->more && !pull->batch->messages->nelts;
    } while (empty && (stamped || !tries));
    /* What is committed only now waits for the next run: an answer without
     * messages that announces more would end the caller's run as an error. */
    if (pull->batch->more || empty)
        return NULL;
    return cm_stamp_is_waiting(&pull->batch->more, exchange->node, pool);
}

/* HEAD changes nothing: monitors use it. */
static cm_error_t *read_batch(cm_exchange_t *exchange, void *baton)
{
    apr_pool_t *pool = exchange->pool;
    pull_t *pull = baton;
    int quiet = 0;

    if (cm_request_is_head(exchange))
        return read_kind(exchange, pull, pool);
    if (pull->from == exchange->said.claim.received + 1 && !pull->withhold)
        CM_TRY(cm_contact_quiet(&quiet, exchange));
    if (quiet) {
        pull->batch = empty_batch(pull->from - 1, pool);
        return NULL;
    }
    CM_TRY(cm_contact(exchange, 0));
    if (pull->withhold)
        CM_TRY(withhold(exchange, pull, pool));
    if (!pull->limits.messages)
        return read_kind(exchange, pull, pool);
    CM_TRY(stamp_and_read(exchange, pull, pool));
    cm_contact_went_well(exchange, 0);
    /* The last answer of a run includes what the retry releases. */
    if (pull->batch->more || !cm_serve_push_retry(exchange))
        return NULL;
    return stamp_and_read(exchange, pull, pool);
}

static void set_headers(const cm_exchange_t *exchange, const pull_t *pull)
{
    apr_table_t *headers = exchange->answer.headers;

    cm_headers_set(headers, "Communicator-Last", pull->batch->last);
    cm_headers_set(headers, "Communicator-More",
                   pull->limits.messages
                       ? pull->batch->more
                       : pull->found || pull->pending.count > 0);
    cm_headers_set(headers, "Communicator-Pending", pull->pending.count);
    cm_headers_set(headers, "Communicator-Oldest", pull->pending.oldest_clock);
    cm_headers_set(headers, "Communicator-Parked", pull->parked);
    if (pull->wait.asked)
        cm_headers_set(headers, "Communicator-Waited", pull->waited);
}

/* A gem never gets what it would misread. But an operator should know of
 * messages that no peer can read: they are not sent again. */
static void log_batch(const cm_exchange_t *exchange, const cm_batch_t *batch)
{
    cm_serve_log(exchange, batch->messages->nelts ? CM_LOG_INFO : CM_LOG_DEBUG,
                 CM0013 "sent %d messages to peer '%s', up to %" APR_INT64_T_FMT
                        "%s",
                 batch->messages->nelts, exchange->peer->name, batch->last,
                 batch->more ? ", more are waiting" : "");
    if (batch->held_back && !exchange->gem)
        cm_serve_log(exchange, CM_LOG_WARNING,
                     CM0024 "skipped %d messages for peer '%s': %s",
                     batch->held_back, exchange->peer->name,
                     batch->held_reason);
}

static void answer_batch(cm_exchange_t *exchange, const pull_t *pull)
{
    const apr_array_header_t *messages = pull->batch->messages;
    cm_buffer_t *body = cm_buffer_create(8192, exchange->pool);
    const cm_message_t *const *list =
        (const cm_message_t *const *)messages->elts;

    cm_body_write(body, pull->batch, exchange->gem);
    if (messages->nelts) {
        cm_headers_set(exchange->answer.notes, "communicator-first-id",
                       list[0]->id);
        cm_headers_set(exchange->answer.notes, "communicator-last-id",
                       list[messages->nelts - 1]->id);
    }
    cm_headers_set(exchange->answer.notes, "communicator-messages",
                   messages->nelts);
    apr_table_setn(exchange->answer.notes, "communicator-result", "ok");
    if (!exchange->gem)
        set_headers(exchange, pull);
    log_batch(exchange, pull->batch);
    cm_serve_send_packed(exchange, CM_HTTP_OK, body->data, body->size,
                         pull->batch->packed);
}

/* Answer a request that does not say from which message on. */
static void refuse_from(cm_exchange_t *exchange, const char *from)
{
    if (!exchange->gem)
        cm_serve_refuse(exchange, CM_HTTP_BAD_REQUEST, CM_MALFORMED,
                        "from_id is not the number of a message", NULL);
    else if (from)
        cm_serve_send(exchange, CM_HTTP_OK, "[]", 2);
    else
        cm_serve_send(exchange, CM_HTTP_CONFLICT, "Specify from_id!", 16);
}

/* Wait if nothing is there yet. What the request says of itself is checked
 * before, and may be out of date afterwards. */
static cm_error_t *wait_for_more(pull_t *pull, const cm_exchange_t *exchange)
{
    const apr_time_t began = cm_clock_now();

    if (!pull->wait.seconds || pull->limits.messages || pull->withhold ||
        pull->pending.count)
        return NULL;
    CM_TRY(cm_serve_wait(&pull->pending, &pull->found, &pull->wait,
                         pull->from - 1, exchange));
    pull->waited = (int)apr_time_as_msec(cm_clock_now() - began);
    return NULL;
}

static cm_error_t *find_batch(pull_t *pull, cm_exchange_t *exchange)
{
    pull->stamping.peer = exchange->peer->name;
    CM_TRY(read_limits(&pull->limits, exchange));
    if (!exchange->gem) {
        CM_TRY(read_withhold(pull, exchange));
        exchange->said.claim.asked_after = pull->from - 1;
    }
    CM_TRY(cm_serve_wait_read(&pull->wait, exchange));
    CM_TRY(cm_serve_with_node(exchange, read_batch, pull));
    return wait_for_more(pull, exchange);
}

void cm_serve_pull(cm_exchange_t *exchange)
{
    const char *from =
        cm_request_value(exchange->request->query, "from_id", exchange->pool);
    pull_t *pull = apr_pcalloc(exchange->pool, sizeof(*pull));
    cm_error_t *err;

    if (!from || !read_from(&pull->from, from)) {
        refuse_from(exchange, from);
        return;
    }
    err = cm_contact_late(exchange, find_batch(pull, exchange));
    if (!err) {
        answer_batch(exchange, pull);
        return;
    }
    cm_contact_failed(exchange, 0, err);
    cm_serve_error(exchange, err);
}
