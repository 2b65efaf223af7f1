/* Headers of both sides: see headers.h. */
#include "exchange/headers.h"

#include <string.h>

#include "base/number.h"
#include "record/message.h"
#include "gem/former.h"

void cm_headers_set(apr_table_t *headers, const char *name, apr_int64_t number)
{
    char room[CM_NUMBER_ROOM];

    apr_table_set(headers, name, cm_number_text(room, number));
}

static void set_pair(apr_table_t *headers, const char *name, apr_int64_t first,
                     apr_int64_t second)
{
    char text[2 * CM_NUMBER_ROOM];

    apr_snprintf(text, sizeof(text), "%" APR_INT64_T_FMT " %" APR_INT64_T_FMT,
                 first, second);
    apr_table_set(headers, name, text);
}

void cm_headers_set_history(apr_table_t *headers, const cm_peer_t *peer)
{
    apr_table_unset(headers, "Communicator-Held");
    /* A message of the gem's time has no clock, and proves nothing. */
    if (peer->held && peer->received_clock)
        set_pair(headers, "Communicator-Held", peer->held,
                 peer->received_clock);
    apr_table_unset(headers, "Communicator-Counts");
    if (cm_former_counts(peer))
        apr_table_setn(headers, "Communicator-Counts", "gem");
    apr_table_unset(headers, "Communicator-Counted");
    if (cm_former_has_to_tell(peer))
        set_pair(headers, "Communicator-Counted", peer->confirmed,
                 peer->confirmed_id);
    apr_table_unset(headers, "Communicator-Peer-Epoch");
    if (peer->epoch)
        apr_table_setn(headers, "Communicator-Peer-Epoch", peer->epoch);
}

apr_int64_t cm_headers_number(const apr_table_t *headers, const char *name,
                              apr_int64_t most, const char **wrong)
{
    const char *text = apr_table_get(headers, name);
    apr_int64_t number;

    if (text && cm_number_read(&number, text, most))
        return number;
    if (text && !*wrong)
        *wrong = name;
    return -1;
}

/* Read TEXT, "SEQ NUMBER", both up to their most. Returns 0 when it is
 * something else. */
static int read_pair(apr_int64_t *seq, apr_int64_t *number, const char *text,
                     apr_int64_t most)
{
    char first[32];
    apr_size_t size = strcspn(text, " ");

    if (!text[size] || size >= sizeof(first))
        return 0;
    memcpy(first, text, size);
    first[size] = '\0';
    return cm_number_read(seq, first, CM_SEQ_MAX) && *seq &&
           cm_number_read(number, text + size + 1, most);
}

/* Read what the peer holds (TEXT, or NULL: not said) into CLAIM. Returns 0 when
 * no such numbers can be. 0.9 says 0 for a message of the gem's time, which has
 * no clock. */
static int read_held(cm_claim_t *claim, const char *text)
{
    apr_int64_t held, clock;

    if (!text)
        return 1;
    if (!read_pair(&held, &clock, text, CM_CLOCK_MAX))
        return 0;
    if (!clock)
        return 1;
    claim->held = held;
    claim->held_clock = clock;
    return 1;
}

/* The same for how it counts. */
static int read_counted(cm_claim_t *claim, const char *text)
{
    return !text ||
           (read_pair(&claim->counted, &claim->counted_id, text, CM_SEQ_MAX) &&
            claim->counted_id);
}

cm_claim_t cm_headers_claim(const apr_table_t *headers, const char **wrong)
{
    cm_claim_t claim = cm_epoch_claim_none();

    claim.epoch = apr_table_get(headers, "Communicator-Epoch");
    claim.known_epoch = apr_table_get(headers, "Communicator-Peer-Epoch");
    claim.received =
        cm_headers_number(headers, "Communicator-Received", CM_SEQ_MAX, wrong);
    claim.newest =
        cm_headers_number(headers, "Communicator-Newest", CM_SEQ_MAX, wrong);
    if (!read_held(&claim, apr_table_get(headers, "Communicator-Held")) &&
        !*wrong)
        *wrong = "Communicator-Held";
    claim.counts = apr_table_get(headers, "Communicator-Counts") != NULL;
    if (!read_counted(&claim, apr_table_get(headers, "Communicator-Counted")) &&
        !*wrong)
        *wrong = "Communicator-Counted";
    return claim;
}
