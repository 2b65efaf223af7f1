/* What an HTTP answer means: see reply.h. */
#include "exchange/reply.h"

#include <string.h>

#include <apr_lib.h>
#include <apr_strings.h>

#include "base/gzip.h"
#include "base/json_object.h"
#include "base/number.h"
#include "record/message.h"
#include "node/epoch.h"
#include "outbox/withheld.h"
#include "inbox/inbox.h"
#include "exchange/headers.h"

#define EXCERPT    60
#define WORDS_MAX  400
#define PARKED_MAX 1000

const char *cm_reply_excerpt(const char *data, apr_size_t size, apr_size_t most,
                             apr_pool_t *pool)
{
    char *text = apr_palloc(pool, most + 1);
    apr_size_t in, out = 0;

    for (in = 0; in < size && out < most; in++) {
        char c = data[in] > 0x20 && data[in] < 0x7f ? data[in] : ' ';

        if (c != ' ' || (out > 0 && text[out - 1] != ' '))
            text[out++] = c;
    }
    while (out > 0 && text[out - 1] == ' ')
        out--;
    text[out] = '\0';
    return text;
}

/* The peer's clock against the middle of our exchange with it. */
static void read_clock(cm_reply_t *reply, const cm_transport_reply_t *raw)
{
    apr_int64_t clock = cm_headers_number(raw->headers, "Communicator-Clock",
                                          CM_CLOCK_MAX, &reply->strange);

    reply->sender.has_clock = clock > 0;
    if (reply->sender.has_clock)
        reply->sender.clock_offset =
            clock - (raw->began + (raw->ended - raw->began) / 2);
}

/* Return the number in the header NAME, or -1. */
static apr_int64_t number(cm_reply_t *reply, const cm_transport_reply_t *raw,
                          const char *name)
{
    return cm_headers_number(raw->headers, name, CM_SEQ_MAX, &reply->strange);
}

/* Read the numbers of messages, and how many of them wait. */
static void read_numbers(cm_reply_t *reply, const cm_transport_reply_t *raw)
{
    reply->sender.claim = cm_headers_claim(raw->headers, &reply->strange);
    reply->received = reply->sender.claim.received;
    reply->wanted = reply->received < 0 ? -1 : reply->received + 1;
    reply->pull.last = number(reply, raw, "Communicator-Last");
    reply->pull.more = number(reply, raw, "Communicator-More") > 0;
    reply->pull.pending = number(reply, raw, "Communicator-Pending");
    reply->pull.oldest = cm_headers_number(raw->headers, "Communicator-Oldest",
                                           CM_CLOCK_MAX, &reply->strange);
    reply->pull.parked = number(reply, raw, "Communicator-Parked");
}

static cm_reply_t *read_reply(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    cm_reply_t *reply = apr_pcalloc(pool, sizeof(*reply));

    reply->status = raw->status;
    reply->data = raw->data;
    reply->size = raw->size;
    reply->packed = raw->packed;
    reply->sender.node = apr_table_get(raw->headers, "Communicator-Node");
    reply->sender.accepts_gzip = cm_gzip_is_accepted(
        apr_table_get(raw->headers, "Accept-Encoding"), pool);
    read_numbers(reply, raw);
    reply->sender.withheld = cm_withheld_sum_read(
        apr_table_get(raw->headers, "Communicator-Withheld"));
    reply->stopped = cm_headers_number(raw->headers, "Communicator-Stopped", 1,
                                       &reply->strange) > 0;
    reply->later = apr_table_get(raw->headers, "Retry-After") != NULL;
    read_clock(reply, raw);
    reply->sender.protocol = cm_headers_number(
        raw->headers, "Communicator-Protocol", 99, &reply->strange);
    if (reply->sender.protocol >= CM_OUR_PROTOCOL)
        reply->kind = CM_PEER_OURS;
    return reply;
}

/* What is read of the JSON in a reply of a peer of ours. */
typedef struct words_t {
    const char *error, *hint, *code;
    apr_array_header_t *parked; /* cm_parked_t */
} words_t;

static int read_truth(void *field, cm_json_t *json, const void *baton)
{
    cm_value_t value;

    (void)baton;
    if (!cm_json_value(json, &value))
        return 0;
    *(int *)field = value.kind == CM_BOOLEAN && *value.data == 't';
    return 1;
}

static void begin_words(void *object, apr_pool_t *pool)
{
    words_t *words = object;

    words->parked = apr_array_make(pool, 1, sizeof(cm_parked_t));
}

static const cm_json_own_t truth = {.read = read_truth};

static const cm_json_member_t parked_members[] = {
    {CM_JSON_MEMBER("id", NUMBER, cm_parked_t, id)},
    {CM_JSON_MEMBER("model", TEXT, cm_parked_t, model)},
    {CM_JSON_MEMBER("reason", TEXT, cm_parked_t, reason)},
    {CM_JSON_MEMBER("transient", OWN, cm_parked_t, transient), .own = &truth},
    {.name = NULL}};
static const cm_json_object_t parked_type = {.members = parked_members,
                                             .size = sizeof(cm_parked_t)};

static const cm_json_member_t words_members[] = {
    {CM_JSON_MEMBER("error", TEXT, words_t, error)},
    {CM_JSON_MEMBER("hint", TEXT, words_t, hint)},
    {CM_JSON_MEMBER("code", TEXT, words_t, code)},
    {CM_JSON_MEMBER("parked", LIST, words_t, parked), .object = &parked_type,
     .most = PARKED_MAX},
    {.name = NULL}};
static const cm_json_object_t words_type = {
    .members = words_members, .size = sizeof(words_t), .begin = begin_words};

/* Make TEXT (or NULL) fit for a terminal. */
static void clean(const char **text, apr_pool_t *pool)
{
    *text =
        *text ? cm_reply_excerpt(*text, strlen(*text), WORDS_MAX, pool) : "";
}

/* Read the JSON in REPLY, up to where it is cut or wrong. */
static const words_t *read_words(const cm_reply_t *reply, apr_pool_t *pool)
{
    words_t *words;
    cm_json_t json;
    void *object;
    int i;

    cm_json_init(&json, reply->data, reply->size, pool);
    (void)cm_json_object_read(&object, &json, &words_type, NULL);
    words = object;
    clean(&words->error, pool);
    clean(&words->hint, pool);
    clean(&words->code, pool);
    for (i = 0; i < words->parked->nelts; i++) {
        cm_parked_t *parked = &APR_ARRAY_IDX(words->parked, i, cm_parked_t);

        clean(&parked->model, pool);
        clean(&parked->reason, pool);
    }
    return words;
}

apr_array_header_t *cm_reply_parked(const cm_reply_t *reply, apr_pool_t *pool)
{
    return read_words(reply, pool)->parked;
}

static cm_code_e code_of_status(int status)
{
    switch (status) {
    case 400:
        return CM_MALFORMED;
    case 403:
        return CM_FORBIDDEN;
    case 404:
        return CM_NOT_FOUND;
    case 409:
        return CM_GAP;
    case 422:
        return CM_REJECTED;
    case 504:
        return CM_TIMEOUT;
    default:
        return status >= 500 ? CM_PEER_FAILED : CM_PROTOCOL;
    }
}

/* Return the error that the refusal REPLY ({"error","code","hint"}) stands
 * for. */
static cm_error_t *remote_error(const cm_reply_t *reply, apr_pool_t *pool)
{
    static const cm_code_e named[] = {CM_EPOCH, CM_PROTOCOL, CM_PAUSED,
                                      CM_LOCKED};
    const words_t *words = read_words(reply, pool);
    cm_code_e code = code_of_status(reply->status);
    cm_error_t *err;
    apr_size_t i;

    for (i = 0; i < sizeof(named) / sizeof(*named); i++)
        if (!strcasecmp(words->code, cm_error_code_name(named[i])))
            code = named[i];
    err = CM_FAIL(pool, code, "the peer answers %d: %s", reply->status,
                  *words->error ? words->error : cm_error_code_meaning(code));
    if (*words->hint)
        cm_error_hint(err, pool, "%s (there)", words->hint);
    else if (code == CM_PEER_FAILED)
        cm_error_hint(err, pool, "the error log of the peer's httpd says why");
    return err;
}

static int is_plain_type(const cm_transport_reply_t *raw)
{
    const char *type = apr_table_get(raw->headers, "Content-Type");

    return !type || strncasecmp(type, "text/html", 9) == 0 ||
           strncasecmp(type, "text/plain", 10) == 0;
}

/* Return the body without surrounding spaces; NULL when it is longer than any
 * that a gem sends. */
static const char *short_body(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    return raw->size > EXCERPT
               ? NULL
               : cm_reply_excerpt(raw->data, raw->size, EXCERPT, pool);
}

static cm_error_t *foreign(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    const char *type = apr_table_get(raw->headers, "Content-Type");
    const char *text = cm_reply_excerpt(raw->data, raw->size, EXCERPT, pool);
    cm_error_t *err = CM_FAIL(
        pool, CM_PROTOCOL,
        "a reply that is not Communicator's: status %d, type '%s', "
        "'%s'",
        raw->status,
        type ? cm_reply_excerpt(type, strlen(type), EXCERPT, pool) : "none",
        text);

    return cm_error_hint(err, pool,
                         "something else answers at this address: look at "
                         "uri=, proxies, and Communicator On in the peer's "
                         "httpd");
}

static cm_error_t *redirected(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    const char *place = apr_table_get(raw->headers, "Location");
    cm_error_t *err = CM_FAIL(
        pool, CM_PROTOCOL, "the peer redirects (%d) to '%s'", raw->status,
        place ? cm_reply_excerpt(place, strlen(place), 200, pool) : "");

    return cm_error_hint(err, pool,
                         "redirects are not followed: write the final "
                         "address into uri=");
}

static cm_error_t *refused(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    if (raw->status == 401)
        return cm_error_hint(
            CM_FAIL(pool, CM_UNAUTHORIZED,
                    "the peer refuses the credentials (401)"),
            pool,
            "compare user= and password-file= with the password file "
            "of the peer's httpd");
    return cm_error_hint(
        CM_FAIL(pool, CM_FORBIDDEN, "access is forbidden (403)"), pool,
        "not the password: the peer's httpd log says why; without a line "
        "there, something in front of it (firewall, mod_evasive, "
        "ModSecurity, Require ip)");
}

/* Our headers show who refused it. */
static cm_error_t *too_large(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    if (apr_table_get(raw->headers, "Communicator-Protocol"))
        return cm_error_hint(
            CM_FAIL(pool, CM_TOO_LARGE,
                    "the peer's Communicator refuses so much at once (413)"),
            pool, "raise CommunicatorMaxBody there");
    return cm_error_hint(
        CM_FAIL(pool, CM_TOO_LARGE,
                "a proxy, or the peer's httpd, refuses so much at once (413)"),
        pool, "raise client_max_body_size of nginx, LimitRequestBody of httpd");
}

/* Statuses by which something between tells that it cannot go on. */
static cm_error_t *not_passed(const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    if (raw->status == 407)
        return cm_error_hint(
            CM_FAIL(pool, CM_PROXY, "the proxy wants a login (407)"), pool,
            "proxy-user-file= names a file with USER:PASSWORD for it");
    if (raw->status == 429)
        return cm_error_hint(
            CM_FAIL(pool, CM_PEER_FAILED,
                    "the peer, or something in front of it, limits how often "
                    "it is asked (429)"),
            pool,
            "let this host through there (mod_evasive, limit_req of nginx)");
    if (raw->status == 502)
        return cm_error_hint(
            CM_FAIL(pool, CM_PEER_FAILED,
                    "something between does not reach the peer's httpd (502)"),
            pool,
            "is the peer's httpd running? The log of the proxy in front of it, "
            "or of ours, says more");
    return cm_error_hint(
        CM_FAIL(pool, CM_TIMEOUT,
                "something between waited too long for the peer (504)"),
        pool,
        "let it wait longer (proxy_read_timeout of nginx, ProxyTimeout of "
        "httpd), or send less at once with CommunicatorBatch");
}

/* Statuses that mean the same whoever answered: httpd itself, a proxy. */
static cm_error_t *judge_status(const cm_transport_reply_t *raw,
                                apr_pool_t *pool)
{
    int status = raw->status;

    if (status == 401 || status == 403)
        return refused(raw, pool);
    if (status >= 300 && status < 400)
        return redirected(raw, pool);
    if (status == 404 || status == 410)
        return cm_error_hint(CM_FAIL(pool, CM_NOT_FOUND,
                                     "there is nothing at this address (%d)",
                                     status),
                             pool,
                             "is uri= right, and is Communicator On in that "
                             "<Location> of the peer's httpd?");
    if (status == 413)
        return too_large(raw, pool);
    if (status == 407 || status == 429 || status == 502 || status == 504)
        return not_passed(raw, pool);
    if (status == 408)
        return CM_FAIL(pool, CM_TIMEOUT, "the peer gave up waiting (%d)",
                       status);
    if (status >= 500)
        return cm_error_hint(
            CM_FAIL(pool, CM_PEER_FAILED, "the peer answers %d '%s'", status,
                    cm_reply_excerpt(raw->data, raw->size, EXCERPT, pool)),
            pool, "the error log at the peer says why");
    return foreign(raw, pool);
}

/* A peer of ours always says how far it has come, unless it mistook us for a
 * gem. */
static cm_error_t *cut_off(apr_pool_t *pool)
{
    return cm_error_hint(CM_FAIL(pool, CM_PROTOCOL,
                                 "the reply is Communicator's, but does not "
                                 "say how far it goes"),
                         pool, CM_HEADERS_REMEDY);
}

/* Return whether the body of RAW begins as those of our peers do. */
static int looks_ours(const cm_transport_reply_t *raw)
{
    static const char *const beginnings[] = {
        "{\"received\":", "[{\"id\":", "[]", "{\"error\":"};
    const char *type = apr_table_get(raw->headers, "Content-Type");
    apr_size_t i;

    if (!type || strncasecmp(type, "application/json", 16))
        return 0;
    for (i = 0; i < sizeof(beginnings) / sizeof(*beginnings); i++)
        if (!strncmp(raw->data, beginnings[i], strlen(beginnings[i])))
            return 1;
    return 0;
}

/* Judge a reply that has none of our headers and is not from a gem: its body
 * shows whether it is one of ours whose headers were removed, or of a peer
 * whose database is away. */
static cm_error_t *judge_stranger(const cm_reply_t *reply,
                                  const cm_transport_reply_t *raw,
                                  apr_pool_t *pool)
{
    cm_error_t *err;

    if (raw->status >= 500 && *raw->data == '{') {
        err = remote_error(reply, pool);
        if (err->code == CM_PROTOCOL || *read_words(reply, pool)->error)
            return err;
    }
    if ((raw->status < 300 || raw->status == 409) && looks_ours(raw))
        return cm_error_hint(
            CM_FAIL(pool, CM_PROTOCOL,
                    "the reply looks like Communicator's (status %d), but "
                    "comes without its headers",
                    raw->status),
            pool, CM_HEADERS_REMEDY);
    return judge_status(raw, pool);
}

/* Refuse a number that is out of range: cursors would jump to it. */
static cm_error_t *strange(const cm_reply_t *reply,
                           const cm_transport_reply_t *raw, apr_pool_t *pool)
{
    const char *text = apr_table_get(raw->headers, reply->strange);

    return CM_FAIL(pool, CM_PROTOCOL,
                   "the header %s of the peer's reply is '%s'", reply->strange,
                   cm_reply_excerpt(text, strlen(text), EXCERPT, pool));
}

static cm_error_t *judge_ours(const cm_reply_t *reply,
                              const cm_transport_reply_t *raw, int success,
                              apr_pool_t *pool)
{
    apr_int64_t reached = success == 200 ? reply->pull.last : reply->received;

    if (reply->strange)
        return strange(reply, raw, pool);
    if (raw->status == success)
        return reached < 0 ? cut_off(pool) : NULL;
    if (raw->status == 401 || raw->status == 413)
        return judge_status(raw, pool);
    return remote_error(reply, pool);
}

/* The same for a reply of a peer of ours: most of these are about the peer as
 * a whole. */
static cm_refusal_e refusal_of_ours(const cm_reply_t *reply,
                                    const cm_error_t *err)
{
    if (reply->status == 413)
        return CM_REFUSAL_SIZE;
    if (reply->stopped || reply->sender.withheld.count < 0)
        return CM_REFUSAL_OF_ALL;
    if (reply->status == 400 && err->code == CM_MALFORMED)
        return CM_REFUSAL_DATA;
    return reply->status == 500 && err->code == CM_PEER_FAILED
               ? CM_REFUSAL_MAYBE
               : CM_REFUSAL_OF_ALL;
}

cm_refusal_e cm_reply_refusal(const cm_transport_reply_t *raw,
                              const cm_reply_t *reply, const cm_error_t *err)
{
    if (raw->unreached || err->code == CM_TLS || err->code == CM_FILE)
        return CM_REFUSAL_OF_ALL;
    if (!raw->status)
        return err->code == CM_TOO_LARGE ? CM_REFUSAL_SIZE : CM_REFUSAL_MAYBE;
    if (!reply || reply->kind == CM_PEER_OURS)
        return reply ? refusal_of_ours(reply, err) : CM_REFUSAL_OF_ALL;
    switch (raw->status) {
    case 413:
        return CM_REFUSAL_SIZE;
    case 401:
    case 407:
    case 429:
        return CM_REFUSAL_OF_ALL;
    case 408:
        return CM_REFUSAL_MAYBE;
    case 503:
        return reply->later ? CM_REFUSAL_OF_ALL : CM_REFUSAL_MAYBE;
    default:
        return raw->status >= 500 ? CM_REFUSAL_MAYBE : CM_REFUSAL_DATA;
    }
}

cm_error_t *cm_reply_judge_get(cm_reply_t **reply,
                               const cm_transport_reply_t *raw,
                               apr_pool_t *pool)
{
    const char *text = raw->data;

    *reply = read_reply(raw, pool);
    if ((*reply)->kind == CM_PEER_OURS)
        return judge_ours(*reply, raw, 200, pool);
    if (raw->status != 200)
        return judge_stranger(*reply, raw, pool);
    while (apr_isspace(*text))
        text++;
    if (!is_plain_type(raw) || *text != '[')
        return judge_stranger(*reply, raw, pool);
    (*reply)->kind = CM_PEER_GEM;
    return NULL;
}

cm_error_t *cm_reply_judge_answer(cm_reply_t **reply,
                                  const cm_transport_reply_t *raw,
                                  apr_pool_t *pool)
{
    *reply = read_reply(raw, pool);
    if ((*reply)->kind != CM_PEER_OURS)
        return judge_stranger(*reply, raw, pool);
    if ((*reply)->strange)
        return strange(*reply, raw, pool);
    return raw->status == 200 ? NULL : judge_ours(*reply, raw, 200, pool);
}

cm_error_t *cm_reply_judge_post(cm_reply_t **reply,
                                const cm_transport_reply_t *raw,
                                apr_pool_t *pool)
{
    const char *text;

    *reply = read_reply(raw, pool);
    if ((*reply)->kind == CM_PEER_OURS)
        return judge_ours(*reply, raw, 202, pool);
    if (raw->status != 202 && raw->status != 409)
        return judge_stranger(*reply, raw, pool);
    text = is_plain_type(raw) ? short_body(raw, pool) : NULL;
    if (!text)
        return judge_stranger(*reply, raw, pool);
    if (raw->status == 409) {
        if (!cm_number_read(&(*reply)->wanted, text, CM_SEQ_MAX))
            return foreign(raw, pool);
        (*reply)->kind = CM_PEER_GEM;
        return CM_FAIL(pool, CM_GAP, "the peer wants message %s", text);
    }
    if (*text && strcmp(text, "No data given") != 0)
        return foreign(raw, pool);
    (*reply)->kind = CM_PEER_GEM;
    return NULL;
}
