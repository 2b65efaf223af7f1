/* See liar.h. */
#include "liar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <apr_strings.h>

#define FAR_CLOCK "1152921504606846975" /* in the last year of all */

#define COUNT(list) (int)(sizeof(list) / sizeof(*(list)))

#define KNOWN_EPOCH "SELECT epoch FROM communicator_peers WHERE name = '%s'"

/* What is to become of a lie. */
typedef enum outcome_e {
    TRUTH,     /* it does not fit here, so it is not told */
    TAKEN,     /* it is taken, and does no harm */
    VOID,      /* it changes nothing, refused or not */
    MALFORMED, /* it is refused like this, and changes nothing */
    GAP,
    EPOCH
} outcome_e;

/* A request or a reply that becomes a lie. */
typedef struct liar_t {
    sim_world_t *world;
    sim_random_t *random;
    int teller, hearer; /* nodes */
    int is_reply;
    const char *query;
    apr_table_t *headers;
    const char *body; /* NULL: none */
    int count;        /* of messages in BODY */
    apr_int64_t told; /* what the hearer may confirm, for it was true */
    apr_pool_t *pool;
} liar_t;

typedef outcome_e lie_t(liar_t *liar);

/* What the hearer's database says. */
static const char *ask(const liar_t *liar, const char *sql)
{
    return sim_node_value(
        liar->world->nodes[liar->hearer].beside,
        apr_psprintf(liar->pool, sql, sim_schema_node_name(liar->teller)),
        liar->pool);
}

static apr_int64_t ask_number(const liar_t *liar, const char *sql)
{
    const char *text = ask(liar, sql);

    return text ? apr_atoi64(text) : 0;
}

/* Up to which number the hearer holds the teller's messages. */
static apr_int64_t received(const liar_t *liar)
{
    return ask_number(
        liar, "SELECT received FROM communicator_peers WHERE name = '%s'");
}

static const char *number_text(const liar_t *liar, apr_int64_t number)
{
    return apr_psprintf(liar->pool, "%" APR_INT64_T_FMT, number);
}

static apr_int64_t some(const liar_t *liar)
{
    return 1 + sim_random_below(liar->random, 3);
}

/* Return TEXT with NEW in place of the first SIZE bytes at AT. */
static const char *put(const liar_t *liar, const char *text, const char *at,
                       apr_size_t size, const char *new)
{
    return apr_pstrcat(liar->pool,
                       apr_pstrndup(liar->pool, text, (apr_size_t)(at - text)),
                       new, at + size, NULL);
}

/* Return where the next message begins in TEXT, within a list, or NULL. What
 * stands behind a name is another object: the clocks of "base". */
static const char *find_message(const char *text)
{
    const char *at = strstr(text, "{\"id\":");

    while (at && at > text && at[-1] == ':')
        at = strstr(at + 1, "{\"id\":");
    return at;
}

static apr_int64_t first_id(const liar_t *liar)
{
    return liar->count ? apr_atoi64(find_message(liar->body) + 6) : 0;
}

/* Add BY to the numbers of all messages, and let the list follow the number
 * before its first. */
static void renumber(liar_t *liar, apr_int64_t by)
{
    apr_int64_t first = first_id(liar) + by, id = 0;
    const char *rest = liar->body, *at;
    char *end;

    liar->body = "";
    while ((at = find_message(rest))) {
        id = apr_strtoi64(at + 6, &end, 10) + by;
        liar->body = apr_pstrcat(
            liar->pool, liar->body,
            apr_pstrndup(liar->pool, rest, (apr_size_t)(at + 6 - rest)),
            number_text(liar, id), NULL);
        rest = end;
    }
    liar->body = apr_pstrcat(liar->pool, liar->body, rest, NULL);
    if (liar->is_reply)
        apr_table_setn(liar->headers, "Communicator-Last",
                       number_text(liar, id));
    else
        liar->query = apr_psprintf(
            liar->pool, "after=%" APR_INT64_T_FMT "&last=%" APR_INT64_T_FMT,
            first - 1, id);
}

/* --- Lies of both sides */

static outcome_e another_epoch(liar_t *liar)
{
    apr_table_setn(liar->headers, "Communicator-Epoch",
                   "0123456789abcdef0123456789abcdef");
    return EPOCH;
}

static outcome_e another_peer_epoch(liar_t *liar)
{
    apr_table_setn(liar->headers, "Communicator-Peer-Epoch",
                   "0123456789abcdef0123456789abcdef");
    return EPOCH;
}

/* It holds more than was ever sent. */
static outcome_e holds_more(liar_t *liar)
{
    apr_int64_t held =
        ask_number(liar, "SELECT last_seq FROM communicator_node") + some(liar);

    apr_table_setn(liar->headers, "Communicator-Received",
                   number_text(liar, held));
    return EPOCH;
}

/* The last message that it holds is another one. */
static outcome_e holds_another(liar_t *liar)
{
    apr_int64_t seq = ask_number(
        liar, "SELECT max(seq) FROM (SELECT seq FROM outbound_messages"
              " UNION ALL SELECT first_seq FROM"
              " communicator_batches) AS numbers");

    if (!seq)
        return TRUTH;
    apr_table_setn(liar->headers, "Communicator-Held",
                   apr_psprintf(liar->pool, "%" APR_INT64_T_FMT " 4711", seq));
    return EPOCH;
}

static outcome_e impossible_number(liar_t *liar)
{
    static const char *const values[][2] = {
        {"Communicator-Received", "9007199254740993"},
        {"Communicator-Received", "1e3"},
        {"Communicator-Received", "-1"},
        {"Communicator-Held", "7"},
        {"Communicator-Held", "0 0"}};
    const char *const *value = values[sim_random_below(
        liar->random, sizeof(values) / sizeof(*values))];

    apr_table_setn(liar->headers, value[0], value[1]);
    return MALFORMED;
}

/* What was sent before is not known to be late then. */
static outcome_e far_clock(liar_t *liar)
{
    liar->world->jumped = 1;
    apr_table_setn(liar->headers, "Communicator-Clock", FAR_CLOCK);
    return TAKEN;
}

static outcome_e twice_in_one_body(liar_t *liar)
{
    const char *first, *end;

    if (liar->count < 2)
        return TRUTH;
    first = find_message(liar->body);
    end = find_message(first + 1);
    liar->body =
        put(liar, liar->body, first, 0,
            apr_pstrndup(liar->pool, first, (apr_size_t)(end - first)));
    return MALFORMED;
}

/* Numbers that the hearer holds already, with clocks that win over all. */
static outcome_e old_numbers(liar_t *liar)
{
    apr_int64_t by =
        received(liar) - first_id(liar) - liar->count + 1 - some(liar);
    const char *at;

    if (!liar->count || first_id(liar) + by < 1)
        return TRUTH;
    renumber(liar, by);
    at = strstr(liar->body, "\"clock\":");
    if (at && sim_random_chance(liar->random, 50))
        liar->body = put(liar, liar->body, at + 8, strspn(at + 8, "0123456789"),
                         FAR_CLOCK);
    return VOID;
}

static outcome_e unknown_attribute(liar_t *liar)
{
    const char *at = liar->count ? strstr(liar->body, "\\\":{\\\"") : NULL;

    if (!at || strstr(at, "zz")) /* what was taken is sent on */
        return TRUTH;
    liar->body = put(liar, liar->body, at + 4, 0, "\\\"zz\\\":7,");
    return TAKEN;
}

/* The message is parked, and the true one is not sent again: the judge sees the
 * cause. It is not the last one, which both sides must know alike. */
static outcome_e unknown_model(liar_t *liar)
{
    const char *at = strstr(liar->body ? liar->body : "", "\"body\":\"{\\\"m");

    if (!at || liar->count < 2 || first_id(liar) <= received(liar))
        return TRUTH;
    liar->body = put(liar, liar->body, at + 11, 1, "x");
    return TAKEN;
}

/* The same. */
static outcome_e far_message(liar_t *liar)
{
    const char *at = strstr(liar->body ? liar->body : "", "\"clock\":");

    if (!at || liar->count < 2 || first_id(liar) <= received(liar))
        return TRUTH;
    liar->body =
        put(liar, liar->body, at + 8, strspn(at + 8, "0123456789"), FAR_CLOCK);
    return TAKEN;
}

/* --- Lies of a caller */

/* It has used less numbers than the hearer holds of it. */
static outcome_e has_used_less(liar_t *liar)
{
    apr_int64_t held = received(liar);

    if (!held)
        return TRUTH;
    apr_table_setn(liar->headers, "Communicator-Newest",
                   number_text(liar, held - 1));
    return EPOCH;
}

/* It asks for all once more, as if it had confirmed nothing. */
static outcome_e goes_back(liar_t *liar)
{
    if (liar->body)
        return TRUTH;
    liar->query = "from_id=1&limit=3";
    apr_table_setn(liar->headers, "Communicator-Received", "0");
    apr_table_unset(liar->headers, "Communicator-Held");
    return VOID;
}

/* It confirms messages that nobody has written yet. */
static outcome_e confirms_more(liar_t *liar)
{
    if (liar->body)
        return TRUTH;
    liar->query = apr_psprintf(
        liar->pool, "from_id=%" APR_INT64_T_FMT "&limit=3",
        ask_number(liar, "SELECT last_seq FROM communicator_node") + 1 +
            some(liar));
    return EPOCH;
}

static outcome_e leaves_gap(liar_t *liar)
{
    if (!liar->count)
        return TRUTH;
    renumber(liar, received(liar) - first_id(liar) + 1 + some(liar));
    return GAP;
}

static outcome_e impossible_query(liar_t *liar)
{
    liar->query = !liar->body ? "from_id=9007199254740993&limit=3"
                  : sim_random_chance(liar->random, 50)
                      ? "after=0&last=9007199254740993"
                      : "after=-1&last=1";
    return MALFORMED;
}

/* --- Lies of a server */

static outcome_e says_more(liar_t *liar)
{
    const char *last = apr_table_get(liar->headers, "Communicator-Last");

    if (!last || liar->count)
        return TRUTH;
    apr_table_setn(liar->headers, "Communicator-More", "1");
    return VOID;
}

static outcome_e holds_less(liar_t *liar)
{
    apr_table_setn(liar->headers, "Communicator-Received", "0");
    return TAKEN;
}

static lie_t *const asked[] = {
    another_epoch, another_peer_epoch, holds_more,    holds_another,
    leaves_gap,    impossible_number,  far_clock,     twice_in_one_body,
    old_numbers,   unknown_attribute,  unknown_model, leaves_gap,
    far_message,   has_used_less,      goes_back,     confirms_more,
    leaves_gap,    impossible_query};

static lie_t *const answered[] = {
    another_epoch,     another_peer_epoch, holds_more,        holds_another,
    impossible_number, far_clock,          twice_in_one_body, old_numbers,
    unknown_attribute, unknown_model,      far_message,       says_more,
    holds_less};

/* Begin to lie about the present request of WIRE, whose text is BODY. */
static liar_t *begin(sim_wire_t *wire, int is_reply, const char *body,
                     apr_table_t *headers, apr_pool_t *pool)
{
    liar_t *liar = apr_pcalloc(pool, sizeof(*liar));

    liar->world = wire->world;
    liar->random = &wire->random;
    liar->teller = is_reply ? wire->callee : wire->caller;
    liar->hearer = is_reply ? wire->caller : wire->callee;
    liar->is_reply = is_reply;
    liar->query = wire->request->query;
    liar->headers = headers;
    liar->body = body;
    liar->pool = pool;
    /* not those that the answer to a push names as parked */
    for (; body && *liar->body == '[' && (body = find_message(body)); body++)
        liar->count++;
    return liar;
}

/* What the hearer knows of the teller, and has of it. */
static const char *knowledge(const liar_t *liar)
{
    const char *name = sim_schema_node_name(liar->teller);
    apr_array_header_t *rows = sim_node_select(
        liar->world->nodes[liar->hearer].beside,
        apr_psprintf(liar->pool,
                     "SELECT received, CASE WHEN confirmed < %" APR_INT64_T_FMT
                     " THEN %" APR_INT64_T_FMT
                     " ELSE confirmed END, epoch, (SELECT count(*) FROM"
                     " inbound_messages WHERE peer = '%s')"
                     " FROM communicator_peers WHERE name = '%s'",
                     liar->told, liar->told, name, name),
        4, liar->pool);
    const char **cells;

    if (!rows->nelts)
        return "0 0 - 0";
    cells = APR_ARRAY_IDX(rows, 0, const char **);
    return apr_pstrcat(liar->pool, cells[0], " ", cells[1], " ",
                       cells[2] ? cells[2] : "-", " ", cells[3], NULL);
}

/* Return whether KNOWS is more than, or other than, what the hearer KNEW. A
 * request lets it try again what is parked, so it may have fewer messages. */
static int has_learned(const char *knew, const char *knows)
{
    const char *count = strrchr(knew, ' '), *now = strrchr(knows, ' ');

    return count - knew != now - knows ||
           strncmp(knew, knows, (size_t)(count - knew)) != 0 ||
           apr_atoi64(now) > apr_atoi64(count);
}

/* Return whether ANSWER to a lie is as OUTCOME says. A node that is paused or
 * busy hears nothing. */
static int is_right(const cm_answer_t *answer, outcome_e outcome)
{
    const char *code = apr_table_get(answer->headers, "Communicator-Error");

    if (answer->status == 503 || answer->status == 413)
        return 1;
    switch (outcome) {
    case MALFORMED:
        return answer->status == 400 && code && !strcmp(code, "MALFORMED");
    case GAP:
        return answer->status == 409 && code && !strcmp(code, "GAP");
    case EPOCH:
        return answer->status == 409 && code && !strcmp(code, "EPOCH");
    case VOID:
        return !code || !strcmp(code, "EPOCH");
    default:
        return !code;
    }
}

/* After a restore the truth may be refused, too; so may anything at a node that
 * stops at what it cannot apply. */
static int is_possible(const sim_wire_t *wire)
{
    return !wire->world->restored &&
           !((wire->world->stops >> wire->caller |
              wire->world->stops >> wire->callee) &
             1) &&
           !apr_table_get(wire->request->headers, "Content-Encoding");
}

void sim_liar_ask(sim_wire_t *wire, apr_pool_t *pool)
{
    sim_request_t *request = apr_pmemdup(pool, wire->request, sizeof(*request));
    int number = wire->step->mishap_number % COUNT(asked);
    const cm_answer_t *answer;
    const char *before;
    outcome_e outcome;
    liar_t *liar;

    if (!is_possible(wire))
        return;
    request->lies = 1;
    request->headers = apr_table_clone(pool, request->headers);
    liar =
        begin(wire, 0,
              request->body ? apr_pstrmemdup(pool, request->body, request->size)
                            : NULL,
              request->headers, pool);
    /* The first that it hears of a peer it has to believe. */
    outcome = ask(liar, KNOWN_EPOCH) ? asked[number](liar) : TRUTH;
    if (outcome == TRUTH)
        return;
    wire->told = 1;
    request->query = liar->query;
    request->body = liar->body;
    request->size = liar->body ? strlen(liar->body) : 0;
    before = knowledge(liar);
    answer = sim_wire_serve(wire->world, request, pool);
    if (wire->world->verbose)
        printf("#   lie %d: %s?%s: %d\n", number, liar->body ? "POST" : "GET",
               liar->query, answer->status);
    if (!is_right(answer, outcome))
        sim_world_fail(wire->world, "lie", "%d is answered by %d %.*s", number,
                       answer->status, (int)answer->size, answer->body);
    if (outcome != TAKEN && has_learned(before, knowledge(liar)))
        sim_world_fail(wire->world, "lie", "%d has changed %s to %s", number,
                       before, knowledge(liar));
}

/* Return up to which number the callee has said, truly, that it holds messages,
 * which the caller may not have written down yet. */
static apr_int64_t told_before(const sim_wire_t *wire)
{
    const char *query = wire->request->query;

    return query && !strncmp(query, "after=", 6) ? apr_atoi64(query + 6) : 0;
}

void sim_liar_answer(sim_wire_t *wire, apr_pool_t *pool)
{
    cm_transport_reply_t *reply = wire->reply;
    int number = wire->step->mishap_number % COUNT(answered);
    outcome_e outcome;
    liar_t *liar;

    if (!is_possible(wire) || reply->status >= 300)
        return;
    liar = begin(wire, 1, reply->data, reply->headers, pool);
    liar->told = wire->told_before = told_before(wire);
    outcome = ask(liar, KNOWN_EPOCH) ? answered[number](liar) : TRUTH;
    if (outcome == TRUTH)
        return;
    wire->told = 1;
    wire->fails |= outcome == MALFORMED;
    if (outcome == MALFORMED || outcome == EPOCH)
        wire->knew = apr_pstrdup(wire->pool, knowledge(liar));
    reply->data = liar->body;
    reply->size = strlen(liar->body);
    if (wire->world->verbose)
        printf("#   lie %d is answered\n", number);
}

void sim_liar_check(sim_wire_t *wire, apr_pool_t *pool)
{
    const char *knows;

    if (!wire->knew)
        return;
    knows = knowledge(&(liar_t){.world = wire->world,
                                .teller = wire->callee,
                                .hearer = wire->caller,
                                .told = wire->told_before,
                                .pool = pool});
    if (has_learned(wire->knew, knows))
        sim_world_fail(wire->world, "lie", "a reply has changed %s to %s",
                       wire->knew, knows);
    wire->knew = NULL;
}
